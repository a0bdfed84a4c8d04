"""Score how uncertain a model is about each image: 0 is certain, higher is more uncertain.

The scores of labels are those of Settles, "Active Learning Literature Survey" (2009), scaled to
[0, 1]. The score of boxes is a sum over boxes and has no upper bound.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain.answers import Answer, Region, Regions
from backend.domain.arrays import Floats
from backend.domain.batches import PredictionBatch
from backend.domain.ids import Label
from backend.domain.schema import TaskKind

TINY = 1e-12


def uncertainty(kind: TaskKind, predictions: PredictionBatch) -> Floats:
    """Return (n,) scores by the measure that suits the kind of control."""
    if kind is TaskKind.DETECTION:
        return boxes(predictions.answers)
    if kind is TaskKind.MULTI:
        return any_label(predictions.probabilities)
    return margin(predictions.probabilities)


def margin(probabilities: Floats) -> Floats:
    """Return one minus the gap between the two largest probabilities."""
    if probabilities.shape[1] < 2:
        return 1 - probabilities.max(axis=1)
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def any_label(probabilities: Floats) -> Floats:
    """Return the binary entropy of the least certain label (multi-label)."""
    return _binary_entropy(probabilities).max(axis=1, initial=0)


def boxes(answers: Sequence[Answer]) -> Floats:
    """Sum the binary entropies of an image's boxes, each weighted by its label's difficulty.

    After PPAL (Yang et al., CVPR 2024). The sum does not saturate, so images with many uncertain
    boxes still differ from each other.
    """
    by_image = [answer.regions if isinstance(answer, Regions) else () for answer in answers]
    weight = _difficulty([region for regions in by_image for region in regions])
    return np.array(
        [
            sum(weight[region.label] * float(_binary_entropy(_score(region))) for region in regions)
            for regions in by_image
        ],
        dtype=np.float64,
    )


def _difficulty(regions: Sequence[Region]) -> Mapping[Label, float]:
    """Return one plus the expected share of wrong boxes of each label, in [1, 2].

    PPAL takes the difficulty from its training loop; here it is estimated from the scores.
    """
    scores = defaultdict[Label, list[float]](list)
    for region in regions:
        scores[region.label].append(float(_score(region)))
    return {label: 2 - sum(own) / len(own) for label, own in scores.items()}


def _score(region: Region) -> np.float64:
    return np.float64(region.score or 0)


def _binary_entropy(probability: Floats | np.float64) -> Floats:
    inside = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1 - TINY)
    return -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
