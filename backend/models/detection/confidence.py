"""Which boxes to show, and the probability that an image's answer needs no edit.

People see the boxes above a threshold. Their answer is right when every true box is matched at an
IoU of 0.5 with its label and no box is left over. For independent boxes that probability is a
product: each shown box is right, each hidden candidate is wrong, and no true box lacks a
candidate. Boxes of one image are not independent, so the product is calibrated against whole
answers (Platt 1999, shrunk towards the product itself where there are few images).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.models.calibration import ScoreCalibration
from backend.models.detection.comparison import (
    BoxComparison,
    PooledDetections,
    count,
    scores_of,
)
from backend.models.detection.edits import count_edits
from backend.models.detection.thresholds import DEFAULT, NO_PRIOR, fewest_edits


@dataclass(frozen=True, slots=True)
class BoxConfidence:
    """Thresholds and calibration of a trained detector.

    `thresholds`: score from which a label's boxes are shown. `box` calibrates the score of one
    box, `answer` the product over an image. `complete`: probability that every true box of an
    image has a candidate.
    """

    thresholds: Mapping[Label, float]
    box: ScoreCalibration
    answer: ScoreCalibration
    complete: float

    @classmethod
    def fit(
        cls,
        candidates: Sequence[BoxComparison],
        labels: Sequence[Label],
        prior: Mapping[Label, Floats] = NO_PRIOR,
    ) -> Self:
        """Fit on images that the network was not trained on; there may be none.

        `prior`, from `thresholds.count_prior`, limits the influence of a handful of images.
        """
        pooled = PooledDetections.of(candidates)
        boxes = {label: count(candidates, label) for label in labels}
        thresholds = fewest_edits(pooled, boxes, prior)
        box = ScoreCalibration.of(pooled.scores, pooled.right[0])
        complete = _complete(candidates)
        shown = [_shown(image.detections, thresholds) for image in candidates]
        pairs = list(zip(candidates, shown, strict=True))
        products = [_product(box(image.scores), rows, complete) for image, rows in pairs]
        correct = [count_edits(image.take(rows)).total == 0 for image, rows in pairs]
        answer = ScoreCalibration.of(np.array(products), np.array(correct, dtype=np.bool_))
        return cls(thresholds, box, answer, complete)

    def shown(self, candidates: Sequence[Region]) -> Targets:
        """Tell which boxes people see, (len(candidates),)."""
        return _shown(candidates, self.thresholds)

    def show(self, candidates: Regions, calibrated: Regions | None = None) -> Regions:
        """Keep the boxes that people see, as they are in `calibrated` if that is given."""
        boxes = (calibrated or candidates).regions
        pairs = zip(boxes, self.shown(candidates.regions), strict=True)
        return Regions(tuple(box for box, shown in pairs if shown))

    def confidence(self, candidates: Sequence[Regions]) -> Floats:
        """Compute the calibrated probability that each answer needs no edit, (n,)."""
        return self.answer(np.array([self._product(image.regions) for image in candidates]))

    def calibrated(self, candidates: Regions) -> Regions:
        """Replace each box's score by the calibrated probability that the box is right."""
        scores = self.box(scores_of(candidates.regions))
        pairs = zip(candidates.regions, scores, strict=True)
        return Regions(tuple(replace(box, score=float(value)) for box, value in pairs))

    def _product(self, candidates: Sequence[Region]) -> float:
        return _product(self.box(scores_of(candidates)), self.shown(candidates), self.complete)


def _shown(candidates: Sequence[Region], thresholds: Mapping[Label, float]) -> Targets:
    least = [thresholds.get(box.label, DEFAULT) for box in candidates]
    return scores_of(candidates) >= np.array(least, dtype=np.float64)


def _complete(candidates: Sequence[BoxComparison]) -> float:
    """Return the share of images with a candidate for every true box (Laplace's rule)."""
    complete = sum(bool(image.located().all()) for image in candidates)
    return (complete + 1) / (len(candidates) + 2)


def _product(probabilities: Floats, shown: Targets, complete: float) -> float:
    """Return the probability of a right answer if boxes were independent.

    Args:
        probabilities: that each candidate is right, (m,).
        shown: whether people see it, (m,).
        complete: probability that no true box lacks a candidate.
    """
    return complete * float(np.prod(np.where(shown, probabilities, 1 - probabilities)))
