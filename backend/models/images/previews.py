"""Small copies of images for reports."""

from pathlib import Path
from typing import Final

import cv2

from backend.models.images.upright import reading

LARGEST: Final = 320
"""Longer side of a preview in pixels."""

JPEG_QUALITY: Final = 80


def write_preview(source: Path, target: Path) -> None:
    """Write a small upright JPEG on white, without the metadata of the original.

    Raises:
        UnreadableImage: when the source is no image that can be read.
    """
    with reading(source) as pixels:
        height, width = pixels.shape[:2]
        scale = min(1.0, LARGEST / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    target.write_bytes(encoded.tobytes())
