"""Classifiers that this program exported, run on pixels that are prepared as for the version."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain.arrays import Floats, Pixels
from backend.models.images.thumbnails import decode
from backend.models.imported.onnx_files import OnnxSession


@dataclass(frozen=True, slots=True)
class OwnClassifier:
    """Implements `ClassProbabilities`; joined encoders have an input each, of their own size."""

    onnx: OnnxSession
    max_megapixels: float

    def __call__(self, files: Sequence[Path]) -> Floats:
        given = {name: self._squares(files, side) for name, side in self.onnx.sides.items()}
        return self.onnx.answer(given)

    def _squares(self, files: Sequence[Path], side: int) -> Pixels:
        """Return (n, side, side, 3) uint8 RGB. Raises UnreadableImage."""
        return np.stack([decode(path, side, self.max_megapixels).pixels for path in files])
