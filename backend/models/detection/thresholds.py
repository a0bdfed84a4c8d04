"""Score thresholds: for each label the one that leaves people the fewest edits."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats
from backend.domain.ids import Label
from backend.models.detection.comparison import PooledDetections, score

CANDIDATE = 0.05
"""Score from which a box is a candidate; boxes below are dropped before anything is fitted."""

DEFAULT = 0.25
"""Threshold without any data, and the preferred one among equally good ones; Ultralytics' own."""

POOLED = 10.0
"""True boxes of all labels from which on the pooled curve weighs less than a label's own."""

PRIOR_WEIGHT = 3.0
"""Held-out images that weigh as much as `count_prior`.

With 10 images of BCCD to learn from and one held out, edits an image fall from 8.0 to 7.0 and from
8.5 to 8.0 after 40 epochs, from 12.9 to 10.0 after 4; from twenty held-out images on nothing
changes.
"""

NO_PRIOR: Mapping[Label, Floats] = MappingProxyType({})

_GRID = np.round(np.arange(CANDIDATE, 0.96, 0.01), 2)
"""Thresholds to choose from."""


def fewest_edits(
    candidates: PooledDetections,
    boxes: Mapping[Label, int],
    prior: Mapping[Label, Floats] = NO_PRIOR,
) -> Mapping[Label, float]:
    """Choose the threshold of each label that leaves the fewest boxes to add or delete.

    A label with few boxes follows all labels together.

    Args:
        candidates: detections on held-out images.
        boxes: number of true boxes of each label.
        prior: as `count_prior` measures it.
    """
    curves = {label: edit_curve(candidates.of_label(label), boxes[label]) for label in boxes}
    pooled = np.sum(list(curves.values()), axis=0)
    total = sum(boxes.values())
    return {
        label: _lowest(shrink(curve, pooled, total) + PRIOR_WEIGHT * prior.get(label, 0.0))
        for label, curve in curves.items()
    }


def edit_curve(candidates: PooledDetections, boxes: int) -> Floats:
    """Count the boxes to delete and to add at each threshold of the grid."""
    above = candidates.scores[None, :] >= _GRID[:, None]
    right = (above & candidates.right[0]).sum(axis=1)
    to_delete, to_add = above.sum(axis=1) - right, boxes - right
    return (to_delete + to_add).astype(np.float64)


def shrink(curve: Floats, pooled: Floats, boxes: int) -> Floats:
    """Draw a label's curve towards that of all labels, which have `boxes` true boxes together."""
    return curve + POOLED / max(POOLED, boxes) * pooled


def count_prior(
    unlabeled: Sequence[Regions], answers: Sequence[Regions], labels: Sequence[Label]
) -> Mapping[Label, Floats]:
    """Compare the number of boxes shown at each threshold with the number that people draw.

    The difference per image is a lower bound on the edits, so it counts as edits although nobody
    labeled these images: a network that was trained too briefly shows ten times too many boxes.

    Args:
        unlabeled: candidates of images without an answer.
        answers: what people drew on other images.
        labels: those of the control.
    """
    if not unlabeled or not answers:
        return NO_PRIOR
    return {
        label: np.abs(
            _shown(unlabeled, label) / len(unlabeled)
            - sum(box.label == label for image in answers for box in image.regions) / len(answers)
        )
        for label in labels
    }


def _shown(candidates: Sequence[Regions], label: Label) -> Floats:
    """Count a label's boxes that reach each threshold of the grid."""
    own = [score(box) for image in candidates for box in image.regions if box.label == label]
    return (np.array(own)[None, :] >= _GRID[:, None]).sum(axis=1).astype(np.float64)


def _lowest(curve: Floats) -> float:
    """Return the threshold with the fewest edits; among equals the one nearest to `DEFAULT`."""
    best = _GRID[curve <= curve.min() + 1e-9]
    return float(best[np.abs(best - DEFAULT).argmin()])
