"""Statistics of an image that need no model: the columns of `IMAGE_STATS`."""

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.domain.batches import IMAGE_STATS

SIDE = 224
_OPPONENT = np.array([[1.0, -1.0, 0.0], [0.5, 0.5, -1.0]], np.float32)
"""RGB to the red-green and yellow-blue axes."""


def measure(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """Return the statistics of one image (len(IMAGE_STATS),), in the order of `IMAGE_STATS`.

    Args:
        pixels: the whole image in RGB (side, side, 3), resized to a square.
        width: of the upright original, in pixels.
        height: likewise.
    """
    if pixels.shape[0] != SIDE:
        pixels = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    saturation = cv2.extractChannel(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV), 1)
    image_stats = np.empty(len(IMAGE_STATS), np.float32)
    image_stats[:] = (
        width,
        height,
        gray.mean() / 255,
        saturation.mean() / 255,
        _colorfulness(pixels),
        _sharpness(gray),
    )
    return image_stats


def _colorfulness(pixels: NDArray[np.uint8]) -> float:
    """Compute M^(3) of Hasler & Suesstrunk (2003), "Measuring colourfulness in natural images"."""
    opponent = cv2.transform(pixels.astype(np.float32), _OPPONENT)
    mean, deviation = cv2.meanStdDev(opponent)
    return float(np.linalg.norm(deviation) + 0.3 * np.linalg.norm(mean))


def _sharpness(gray: cv2.typing.MatLike) -> float:
    """Return the variance of the Laplacian (Pech-Pacheco et al. 2000)."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)
