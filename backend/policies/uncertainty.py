"""How unsure a model is of each answer: probabilities to a score in [0, 1], 1 for no idea.

The classic scores of Settles, "Active Learning Literature Survey" (2009), scaled to [0, 1]; that of
boxes is a sum and has no bound.
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
    """(n,) the score that suits the kind of control."""
    if kind is TaskKind.DETECTION:
        return boxes(predictions.answers)
    if kind is TaskKind.MULTI:
        return any_label(predictions.probabilities)
    return margin(predictions.probabilities)


def least_confidence(probabilities: Floats) -> Floats:
    """One minus the largest of K probabilities, scaled so that K equal ones score 1."""
    labels = probabilities.shape[1]
    return (1 - probabilities.max(axis=1)) * labels / max(1, labels - 1)


def margin(probabilities: Floats) -> Floats:
    """One minus the distance between the two largest probabilities."""
    if probabilities.shape[1] < 2:
        return 1 - probabilities.max(axis=1)
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy over log K."""
    labels = probabilities.shape[1]
    logs = np.log(np.clip(probabilities, TINY, 1))
    return -(probabilities * logs).sum(axis=1) / np.log(max(2, labels))


def any_label(probabilities: Floats) -> Floats:
    """For several labels an image: the binary entropy of the least certain label."""
    return _binary_entropy(probabilities).max(axis=1, initial=0)


def boxes(answers: Sequence[Answer]) -> Floats:
    """The sum of the boxes' binary entropies, each times the difficulty of its label.

    As in PPAL (Yang et al., CVPR 2024): an image with many doubtful boxes costs a person most, and
    teaches most. Nothing saturates, so that of two images full of boxes the more doubtful leads.
    """
    found = [answer.regions if isinstance(answer, Regions) else () for answer in answers]
    weight = _difficulty([region for regions in found for region in regions])
    return np.array(
        [
            sum(
                weight[region.label] * float(_binary_entropy(_chance(region))) for region in regions
            )
            for regions in found
        ],
        dtype=np.float64,
    )


def _difficulty(regions: Sequence[Region]) -> Mapping[Label, float]:
    """1 for a label whose boxes are all sure, up to 2; ours, since PPAL's comes from its training.

    One plus the share of a label's boxes that is wrong, as far as their chances tell.
    """
    chances = defaultdict[Label, list[float]](list)
    for region in regions:
        chances[region.label].append(float(_chance(region)))
    return {label: 2 - sum(found) / len(found) for label, found in chances.items()}


def _chance(region: Region) -> np.float64:
    return np.float64(region.score or 0)


def _binary_entropy(probability: Floats | np.float64) -> Floats:
    inside = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1 - TINY)
    return -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
