"""Letterboxing: scale an image to a network's size, pad it to the stride, and map boxes back."""

from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain.arrays import Floats, Pixels

STRIDE = 32
"""Side lengths are multiples of this: the networks of both engines halve an image five times."""

_GRAY = (114, 114, 114)
"""Padding that Ultralytics' checkpoints were trained with."""


@dataclass(frozen=True, slots=True)
class Letterboxed:
    """A scaled and padded image.

    `pixels` BGR, with padding; `left`, `top`, `width`, `height` say where the image lies in them.
    """

    pixels: Pixels
    left: int
    top: int
    width: int
    height: int

    def to_fractions(self, boxes: Floats) -> Floats:
        """Map corners (m, 4) from pixels to fractions of the image; they may lie outside [0, 1]."""
        return (boxes.astype(np.float64) - self._offset) / self._scale

    def to_pixels(self, boxes: Floats) -> Floats:
        """Map corners (m, 4) from fractions of the image to pixels."""
        return boxes.astype(np.float64) * self._scale + self._offset

    @property
    def _offset(self) -> Floats:
        return np.array([self.left, self.top, self.left, self.top], dtype=np.float64)

    @property
    def _scale(self) -> Floats:
        return np.array([self.width, self.height, self.width, self.height], dtype=np.float64)


def letterbox(image: Pixels, size: int) -> Letterboxed:
    """Scale the longer side to `size`, then pad both sides to multiples of the stride."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    across, down = -width % STRIDE, -height % STRIDE
    left, top = across // 2, down // 2
    padded = cv2.copyMakeBorder(
        scaled, top, down - top, left, across - left, cv2.BORDER_CONSTANT, value=_GRAY
    )
    return Letterboxed(np.asarray(padded, dtype=np.uint8), left, top, width, height)
