"""Pictures scaled to a network's size and padded to its stride, and boxes brought back."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Pixels

STRIDE = 32
"""Both families' networks halve the picture five times."""

_GRAY = (114, 114, 114)
"""The padding that Ultralytics' checkpoints were trained with."""


@dataclass(frozen=True, slots=True)
class Letterboxed:
    """A picture on its canvas; `left`, `top`, `width`, `height` say where, in canvas pixels."""

    canvas: Pixels
    left: int
    top: int
    width: int
    height: int

    def to_fractions(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Corners (m, 4) in canvas pixels as fractions of the picture; may reach beyond it."""
        return (boxes.astype(np.float64) - self._corner) / self._scale

    def to_canvas(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Corners (m, 4) in fractions of the picture as canvas pixels."""
        return boxes.astype(np.float64) * self._scale + self._corner

    @property
    def _corner(self) -> NDArray[np.float64]:
        return np.array([self.left, self.top, self.left, self.top], dtype=np.float64)

    @property
    def _scale(self) -> NDArray[np.float64]:
        return np.array([self.width, self.height, self.width, self.height], dtype=np.float64)


def letterbox(image: Pixels, size: int) -> Letterboxed:
    """Scale so that the longer side is `size`, then pad both sides to whole strides."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    across, down = -width % STRIDE, -height % STRIDE
    left, top = across // 2, down // 2
    canvas = cv2.copyMakeBorder(
        scaled, top, down - top, left, across - left, cv2.BORDER_CONSTANT, value=_GRAY
    )
    return Letterboxed(np.asarray(canvas, dtype=np.uint8), left, top, width, height)
