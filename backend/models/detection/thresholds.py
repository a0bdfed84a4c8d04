"""From which score on the boxes of a label are shown: where the fewest edits are left."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.arrays import Floats
from backend.domain.ids import Label

CANDIDATE = 0.05
"""Score from which a box counts as a candidate at all."""

USUAL = 0.25
"""The threshold to begin from, Ultralytics' own default."""

POOLED = 10.0
"""Boxes of its own that a label needs to weigh as much as all labels together."""

PRIOR = 3.0
"""Held-out images that weigh as much as the number of boxes which an image should show.

With 10 images of BCCD to learn from and one held out, edits an image fall from 8.0 to 7.0 and from
8.5 to 8.0 after 40 epochs, from 12.9 to 10.0 after 4; from twenty held-out images on nothing
changes.
"""

NOTHING_EXPECTED: Mapping[Label, Floats] = MappingProxyType({})

_GRID = np.round(np.arange(CANDIDATE, 0.96, 0.01), 2)


def score(box: Region) -> float:
    return 1.0 if box.score is None else box.score


def thresholds(
    candidates: Sequence[Regions],
    found: Sequence[Sequence[bool]],
    truths: Sequence[Regions],
    labels: Sequence[Label],
    expected: Mapping[Label, Floats],
) -> Mapping[Label, float]:
    """The threshold of each label that leaves the fewest boxes to add or delete."""
    boxes = [
        (box.label, score(box), hit)
        for image, targets in zip(candidates, found, strict=True)
        for box, hit in zip(image.regions, targets, strict=True)
    ]
    totals = {
        label: sum(box.label == label for truth in truths for box in truth.regions)
        for label in labels
    }
    everywhere = _work([(s, hit) for _, s, hit in boxes], sum(totals.values()))
    share = POOLED / max(POOLED, sum(totals.values()))
    own = {label: [(s, hit) for name, s, hit in boxes if name == label] for label in labels}
    return {
        label: _least(
            _work(own[label], totals[label])
            + share * everywhere
            + PRIOR * expected.get(label, np.zeros(len(_GRID)))
        )
        for label in labels
    }


def surplus(
    unlabeled: Sequence[Regions], drawn: Sequence[Regions], labels: Sequence[Label]
) -> Mapping[Label, Floats]:
    """How far the boxes shown at each threshold are in number from what people draw, an image.

    No fewer edits can make an image right, so it counts as work although nobody said what is on
    those images: a network that was trained too briefly shows ten times too many boxes.

    Args:
        unlabeled: candidates of images that nobody labeled.
        drawn: what people drew on others.
        labels: those to look at.
    """
    if not unlabeled or not drawn:
        return NOTHING_EXPECTED
    return {
        label: np.abs(
            _above(unlabeled, label) / len(unlabeled)
            - sum(box.label == label for image in drawn for box in image.regions) / len(drawn)
        )
        for label in labels
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


def _above(candidates: Sequence[Regions], label: Label) -> Floats:
    """How many boxes of a label reach each threshold of the grid."""
    own = [score(box) for image in candidates for box in image.regions if box.label == label]
    return (np.array(own)[None, :] >= _GRID[:, None]).sum(axis=1).astype(np.float64)
