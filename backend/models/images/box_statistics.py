"""Statistics of the boxes of an image that need no model."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import cv2
import numpy as np

from backend.domain.arrays import Pixels
from backend.domain.batches import IMAGE_STATS
from backend.domain.geometry import Box
from backend.models.images.statistics import SIDE, measure
from backend.models.images.upright import reading

BRIGHTNESS, SHARPNESS = IMAGE_STATS.index("brightness"), IMAGE_STATS.index("sharpness")


def brightness_and_sharpness(path: Path, boxes: Sequence[Box]) -> tuple[float, float]:
    """Return the means over the boxes, in the units of the same statistics of whole images.

    Raises:
        UnreadableImage: when the file is no image that can be read.
    """
    with reading(path) as pixels:
        measured = np.array([_image_stats(_crop(pixels, box)) for box in boxes])
    brightness, sharpness = measured.mean(axis=0)
    return float(brightness), float(sharpness)


def _crop(pixels: Pixels, box: Box) -> Pixels:
    """Return the pixels inside a box: one at least, however thin it is."""
    height, width = pixels.shape[:2]
    top, left = int(box.top * height), int(box.left * width)
    bottom, right = ceil(box.bottom * height), ceil(box.right * width)
    return pixels[top:bottom, left:right]


def _image_stats(crop: Pixels) -> tuple[float, float]:
    height, width = crop.shape[:2]
    square = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    stats = measure(cv2.cvtColor(square, cv2.COLOR_BGR2RGB).astype(np.uint8), width, height)
    return float(stats[BRIGHTNESS]), float(stats[SHARPNESS])
