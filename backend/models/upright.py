"""Image files as upright pixels: the EXIF orientation is applied, as Label Studio displays them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from backend.errors import UnreadableImage

Pixels = NDArray[np.uint8]
"""(height, width, 3), blue first, as OpenCV has it."""

_ORIENTATION = 274
"""The EXIF tag."""

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises on files that are no images, or broken ones."""


def read(path: Path) -> Pixels:
    """The upright pixels of an image file.

    OpenCV is two to three times faster than Pillow and turns JPEG files upright, so it reads what
    it reads right; Pillow reads the rest.

    Raises:
        UnreadableImage: when the file is no image, or is damaged.
    """
    if not is_plain(path):
        return _with_pillow(path)
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return _with_pillow(path) if pixels is None else np.asarray(pixels, dtype=np.uint8)


def is_plain(path: Path) -> bool:
    """Whether OpenCV, and so Ultralytics, sees this file as people see it.

    Raises:
        UnreadableImage: when the file is no image.
    """
    try:
        with Image.open(path) as image:
            if image.format == "JPEG":
                return image.mode in {"RGB", "L"}
            turned = image.getexif().get(_ORIENTATION, 1) != 1
            simple = image.mode in {"RGB", "L", "I;16"} and not image.has_transparency_data
            return image.format in {"PNG", "BMP"} and simple and not turned
    except _DAMAGED as exc:
        raise UnreadableImage(f"{path.name} is no image that can be read", str(exc)) from exc


def _with_pillow(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            pixels = np.asarray(upright.convert("RGB"), dtype=np.uint8)
    except _DAMAGED as exc:
        raise UnreadableImage(f"{path.name} cannot be decoded", str(exc)) from exc
    return np.ascontiguousarray(pixels[:, :, ::-1])
