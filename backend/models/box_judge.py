"""Which boxes to show, and how likely the whole answer needs no edit.

A person sees boxes above a threshold; the answer is right when every true box is matched at an
IoU of 0.5 with its label and none is too many. For independent boxes that chance is a product:
each shown box must be right, each hidden candidate wrong, and nothing may be there that has no
candidate at all. Boxes of one image are not independent, so the product is calibrated once more
against whole answers (Platt's fit, drawn to the product itself where there are few images).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from backend.domain import Label, Region, Regions
from backend.models.calibration import ScoreCalibration
from backend.models.metrics import edits, overlaps

Floats = NDArray[np.floating[Any]]

CANDIDATE = 0.05
"""Score from which a box counts as a candidate at all."""

USUAL = 0.25
"""The threshold to begin from, Ultralytics' own default."""

POOLED = 10.0
"""Boxes of its own that a label needs to weigh as much as all labels together."""

_GRID = np.round(np.arange(CANDIDATE, 0.96, 0.01), 2)


@dataclass(frozen=True, slots=True)
class BoxJudge:
    """`thresholds` by label; `box` calibrates one box, `answer` the product over an image.

    `complete`: chance that every true box of an image has a candidate.
    """

    thresholds: Mapping[Label, float]
    box: ScoreCalibration
    answer: ScoreCalibration
    complete: float

    @classmethod
    def fit(
        cls, candidates: Sequence[Regions], truths: Sequence[Regions], labels: Sequence[Label]
    ) -> Self:
        """Learn from images that the network was not trained on; none at all is allowed."""
        found = [hits(*pair) for pair in zip(candidates, truths, strict=True)]
        scores = np.array([score(box) for image in candidates for box in image.regions])
        right = np.array([hit for image in found for hit in image], dtype=np.bool_)
        seen = [sum(_reached(*pair)) for pair in zip(candidates, truths, strict=True)]
        whole = sum(n == len(truth.regions) for n, truth in zip(seen, truths, strict=True))
        judge = cls(
            _thresholds(candidates, found, truths, labels),
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

    def _is_shown(self, box: Region) -> bool:
        return score(box) >= self.thresholds.get(box.label, USUAL)


def score(box: Region) -> float:
    return 1.0 if box.score is None else box.score


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


def _thresholds(
    candidates: Sequence[Regions],
    found: Sequence[Sequence[bool]],
    truths: Sequence[Regions],
    labels: Sequence[Label],
) -> Mapping[Label, float]:
    """The threshold of each label that leaves the fewest boxes to add or delete."""
    boxes = [
        (box.label, score(box), hit)
        for image, flags in zip(candidates, found, strict=True)
        for box, hit in zip(image.regions, flags, strict=True)
    ]
    totals = {
        label: sum(box.label == label for truth in truths for box in truth.regions)
        for label in labels
    }
    everywhere = _work([(s, hit) for _, s, hit in boxes], sum(totals.values()))
    share = POOLED / max(POOLED, sum(totals.values()))
    own = {label: [(s, hit) for name, s, hit in boxes if name == label] for label in labels}
    return {
        label: _least(_work(own[label], totals[label]) + share * everywhere) for label in labels
    }


def _work(boxes: Sequence[tuple[float, bool]], total: int) -> Floats:
    """Boxes to delete and to add at each threshold of the grid."""
    scores = np.array([s for s, _ in boxes])
    right = np.array([hit for _, hit in boxes], dtype=np.bool_)
    above = scores[None, :] >= _GRID[:, None]
    found = (above & right).sum(axis=1)
    return (above.sum(axis=1) - found) + (total - found)


def _least(work: Floats) -> float:
    """The threshold of least work; among equals the one nearest to the usual."""
    best = _GRID[work <= work.min() + 1e-9]
    return float(best[np.abs(best - USUAL).argmin()])
