"""Which boxes to show, and how likely the whole answer needs no edit.

A person sees boxes above a threshold; the answer is right when every true box is matched at an
IoU of 0.5 with its label and none is too many. For independent boxes that chance is a product:
each shown box must be right, each hidden candidate wrong, and nothing may be there that has no
candidate at all. Boxes of one image are not independent, so the product is calibrated once more
against whole answers (Platt's fit, drawn to the product itself where there are few images).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.arrays import Floats
from backend.domain.ids import Label
from backend.models.calibration import ScoreCalibration
from backend.models.detection.edits import edits, overlaps
from backend.models.detection.thresholds import NOTHING_EXPECTED, USUAL, score, thresholds


@dataclass(frozen=True, slots=True)
class BoxConfidence:
    """`thresholds` by label; `box` calibrates one box, `answer` the product over an image.

    `complete`: chance that every true box of an image has a candidate.
    """

    thresholds: Mapping[Label, float]
    box: ScoreCalibration
    answer: ScoreCalibration
    complete: float

    @classmethod
    def fit(
        cls,
        candidates: Sequence[Regions],
        truths: Sequence[Regions],
        labels: Sequence[Label],
        expected: Mapping[Label, Floats] = NOTHING_EXPECTED,
    ) -> Self:
        """Learn from images that the network was not trained on; none at all is allowed.

        `expected`, as `box_thresholds.surplus` measures it, keeps a handful of images from
        deciding much.
        """
        found = [hits(*pair) for pair in zip(candidates, truths, strict=True)]
        scores = np.array([score(box) for image in candidates for box in image.regions])
        right = np.array([hit for image in found for hit in image], dtype=np.bool_)
        seen = [sum(_reached(*pair)) for pair in zip(candidates, truths, strict=True)]
        whole = sum(n == len(truth.regions) for n, truth in zip(seen, truths, strict=True))
        judge = cls(
            thresholds(candidates, found, truths, labels, expected),
            ScoreCalibration.of(scores, right),
            ScoreCalibration(),
            (whole + 1) / (len(truths) + 2),  # Laplace's rule of succession
        )
        correct = np.array([judge.is_right(*pair) for pair in zip(candidates, truths, strict=True)])
        products = np.array([judge.product(image) for image in candidates])
        answer = ScoreCalibration.of(products, correct.astype(np.bool_))
        return cls(judge.thresholds, judge.box, answer, judge.complete)

    def shown(self, candidates: Regions) -> Regions:
        return Regions(tuple(box for box in candidates.regions if self._is_shown(box)))

    def is_right(self, candidates: Regions, truth: Regions) -> bool:
        """Whether what is shown needs no edit."""
        return edits(self.shown(candidates), truth).total == 0

    def product(self, candidates: Regions) -> float:
        """The chance of a right answer, were boxes independent."""
        chances = self.box(np.array([score(box) for box in candidates.regions]))
        shown = np.array([self._is_shown(box) for box in candidates.regions], dtype=np.bool_)
        return self.complete * float(np.prod(np.where(shown, chances, 1 - chances)))

    def confidence(self, candidates: Sequence[Regions]) -> Floats:
        """The calibrated chance that each answer needs no edit, (n,)."""
        return self.answer(np.array([self.product(image) for image in candidates]))

    def calibrated(self, candidates: Regions) -> Regions:
        """The same with each box's score made the chance that it is right: what people read."""
        chances = self.box(np.array([score(box) for box in candidates.regions]))
        pairs = zip(candidates.regions, chances, strict=True)
        return Regions(tuple(replace(box, score=float(chance)) for box, chance in pairs))

    def _is_shown(self, box: Region) -> bool:
        return score(box) >= self.thresholds.get(box.label, USUAL)


def hits(candidates: Regions, truth: Regions, iou: float = 0.5) -> list[bool]:
    """Whether each candidate, best first, takes a true box of its label that none took before."""
    overlap = overlaps(candidates.regions, truth.regions)
    taken = np.zeros(len(truth.regions), dtype=np.bool_)
    found: list[bool] = []
    for row, box in enumerate(candidates.regions):
        same = np.array([box.label == true.label for true in truth.regions], dtype=np.bool_)
        free = np.where(same & ~taken, overlap[row], 0.0)
        found.append(bool(len(free)) and float(free.max()) >= iou)
        if found[-1]:
            taken[int(free.argmax())] = True
    return found


def _reached(candidates: Regions, truth: Regions) -> list[bool]:
    """Whether each true box has a candidate at its place, of whatever label."""
    overlap = overlaps(candidates.regions, truth.regions)
    return [bool((overlap[:, column] >= 0.5).any()) for column in range(overlap.shape[1])]
