"""Brightness and sharpness of the boxes of images; of some only, because files are opened."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer, ImageRef, Regions
from backend.domain.arrays import Floats
from backend.domain.errors import UnreadableImage
from backend.domain.steps import Step
from backend.ports.images import BoxMeasurer
from backend.ports.progress import Progress


@dataclass(frozen=True, slots=True)
class BoxStatistics:
    """Measures at most `most` images at a time."""

    extractor: BoxMeasurer
    most: int

    def measure(
        self,
        refs: Sequence[ImageRef],
        answers: Sequence[Answer],
        first: Floats,
        progress: Progress,
    ) -> Floats:
        """Return (n, 2) as in `Evidence.crops`, NaN for images that were not measured.

        Those with the largest `first` (n,) are measured.
        """
        known = np.full((len(refs), 2), np.nan)
        chosen = [int(row) for row in np.argsort(-first, kind="stable")[: self.most]]
        for done, row in enumerate(chosen):
            progress(Step.PREDICT, done, len(chosen))
            known[row] = self._of_image(refs[row], answers[row])
        return known

    def _of_image(self, ref: ImageRef, answer: Answer) -> tuple[float, float]:
        if not isinstance(answer, Regions) or not answer.regions:
            return np.nan, np.nan
        try:
            boxes = [region.box for region in answer.regions]
            brightness, sharpness = self.extractor.box_statistics(ref, boxes)
        except UnreadableImage:  # gone since the first look; the criterion ignores NaN
            return np.nan, np.nan
        return brightness, float(np.log1p(sharpness))
