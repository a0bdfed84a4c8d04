"""The detections of one image beside its true boxes.

All metrics of boxes need the same overlaps, so they are computed once per image and shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Region, Regions
from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.models.detection.overlaps import overlaps

MATCH = 0.5
"""IoU from which a detection counts as the true box, as in PASCAL VOC and mAP50."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxComparison:
    """The m detections of an image, best score first, beside its n true boxes.

    `scores` (m,) in [0, 1]; `iou` (m, n); `same_label` (m, n).
    """

    detections: tuple[Region, ...]
    truth: tuple[Region, ...]
    scores: Floats
    iou: Floats
    same_label: Targets

    @classmethod
    def of(cls, detections: Regions, truth: Regions) -> Self:
        ranked = tuple(sorted(detections.regions, key=score, reverse=True))
        return cls(
            ranked,
            truth.regions,
            scores_of(ranked),
            overlaps(ranked, truth.regions),
            _labels(ranked)[:, None] == _labels(truth.regions)[None, :],
        )

    def take(self, rows: Targets) -> Self:
        """Keep some of the detections; `rows` (m,)."""
        kept = tuple(self.detections[int(row)] for row in np.flatnonzero(rows))
        return type(self)(
            kept, self.truth, self.scores[rows], self.iou[rows], self.same_label[rows]
        )

    def at_least(self, threshold: float) -> Self:
        """Keep the detections with this score or more."""
        return self.take(self.scores >= threshold)

    def true_positives(self, levels: Sequence[float] = (MATCH,)) -> Targets:
        """Tell which detections are right, at each IoU level: (len(levels), m).

        Detections are matched greedily, best score first: each takes the true box of its label
        that it overlaps most among those not yet taken (COCO's rule, pycocotools' `evaluateImg`).
        """
        wanted = np.array(levels)
        right = np.zeros((len(wanted), len(self.detections)), dtype=np.bool_)
        free = np.ones((len(wanted), len(self.truth)), dtype=np.bool_)
        overlap = np.where(self.same_label, self.iou, 0.0)
        best = overlap.max(axis=1, initial=0.0)
        for row in np.flatnonzero(best >= wanted.min()):
            left = np.where(free, overlap[row], 0.0)
            box = left.argmax(axis=1)
            right[:, row] = left.max(axis=1) >= wanted
            free[right[:, row], box[right[:, row]]] = False
        return right

    def located(self) -> Targets:
        """Tell which true boxes have a detection in their place, of whatever label: (n,)."""
        return np.asarray((self.iou >= MATCH).any(axis=0), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class PooledDetections:
    """The k detections of several images, image by image.

    `labels` and `scores` (k,); `right` (IoU levels, k).
    """

    labels: NDArray[np.str_]
    scores: Floats
    right: Targets

    @classmethod
    def of(cls, images: Sequence[BoxComparison], levels: Sequence[float] = (MATCH,)) -> Self:
        none = np.zeros((len(levels), 0), dtype=np.bool_)
        return cls(
            _labels([box for image in images for box in image.detections]),
            np.concatenate([np.zeros(0), *(image.scores for image in images)]),
            np.concatenate([none, *(image.true_positives(levels) for image in images)], axis=1),
        )

    def of_label(self, label: Label) -> Self:
        """Keep the detections of one label."""
        own = self.labels == label
        return type(self)(self.labels[own], self.scores[own], self.right[:, own])


def compare(detections: Sequence[Regions], truths: Sequence[Regions]) -> list[BoxComparison]:
    """Compare image by image; both in the same order."""
    return [BoxComparison.of(*pair) for pair in zip(detections, truths, strict=True)]


def score(box: Region) -> float:
    """Return a box's score; 1 for one that a person drew."""
    return 1.0 if box.score is None else box.score


def scores_of(boxes: Sequence[Region]) -> Floats:
    """Return the scores of boxes, (len(boxes),)."""
    return np.array([score(box) for box in boxes], dtype=np.float64)


def _labels(boxes: Sequence[Region]) -> NDArray[np.str_]:
    return np.array([box.label for box in boxes], dtype=np.str_)


def count(images: Sequence[BoxComparison], label: Label) -> int:
    """Count the true boxes of a label."""
    return sum(box.label == label for image in images for box in image.truth)
