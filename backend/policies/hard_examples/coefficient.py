"""The hard coefficient: which predictions should be checked first, and why.

Each criterion gives its reasons a strength s_i in [0, 1] for each image. The coefficient is
1 - prod(1 - w_i s_i), with the weights w_i that Huawei publishes for ModelArts' data selection.
ModelArts does not publish how it combines them; see docs/decisions/hardness-weights.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from backend.domain.answers import HardExample
from backend.domain.arrays import Floats
from backend.policies.hard_examples.boxes import nothing_found, unusual_boxes
from backend.policies.hard_examples.confidence import (
    CLOSE,
    LOW_CONFIDENCE,
    close_labels,
    low_confidence,
)
from backend.policies.hard_examples.consistency import AUGMENTATIONS, changing_answers
from backend.policies.hard_examples.evidence import Evidence, HardReason
from backend.policies.hard_examples.image_statistics import unusual_images
from backend.policies.hard_examples.neighbors import (
    differs_from_its_twin,
    differs_from_neighbors,
    far_from_all,
    unlike_its_label,
)

CRITERIA: tuple[Callable[[Evidence], Iterable[HardReason]], ...] = (
    low_confidence,
    close_labels,
    differs_from_neighbors,
    unlike_its_label,
    far_from_all,
    differs_from_its_twin,
    changing_answers,
    unusual_images,
    nothing_found,
    unusual_boxes,
)

PREDICT_SCORE, CLUSTERING, SIMILARITY, SEQUENTIAL = 0.39, 0.202, 0.0949, 0.425
CONSISTENCY, DISTRIBUTION, ANOMALY = 0.4265, 0.0451, 0.202

MODELARTS_WEIGHTS: Mapping[int, float] = {
    0: PREDICT_SCORE,
    LOW_CONFIDENCE: PREDICT_SCORE,
    2: CLUSTERING,
    3: SIMILARITY,
    4: SEQUENTIAL,
    **dict.fromkeys(range(5, 19), DISTRIBUTION),
    **dict.fromkeys(AUGMENTATIONS, CONSISTENCY),
    30: ANOMALY,
    CLOSE: CLUSTERING,
}


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much each reason weighs, and which images count as hard.

    Attributes:
        weights: by reason number, in [0, 1]; a missing number weighs 0. The augmentations (19 to
            29) share their weight.
        threshold: the least coefficient of a hard example.
        max_share: the largest share of the images that may be hard; one image is always allowed.
        min_strength: weaker reasons are not mentioned, unless all reasons of an image are weaker.
    """

    weights: Mapping[int, float] = field(default_factory=lambda: MODELARTS_WEIGHTS)
    threshold: float = 0.2
    max_share: float = 0.5
    min_strength: float = 0.3


DEFAULT_WEIGHTING = Weighting()


@dataclass(frozen=True, slots=True)
class WeightedReason:
    """A reason and `part` (n,), its weight times its strength."""

    reason: HardReason
    part: Floats


def hard_examples(
    evidence: Evidence, weighting: Weighting = DEFAULT_WEIGHTING
) -> tuple[HardExample, ...]:
    """Return the hard examples in the order of the tasks. Never changes a prediction."""
    reasons = weigh(evidence, weighting)
    coefficient = coefficients(reasons)
    tasks = evidence.images.tasks
    hard = _hard(coefficient, weighting)
    return tuple(
        HardExample(tasks[i], float(coefficient[i]), described)
        for i, described in zip(hard, _descriptions(hard, reasons, weighting), strict=True)
    )


def weigh(evidence: Evidence, weighting: Weighting = DEFAULT_WEIGHTING) -> Sequence[WeightedReason]:
    """Apply all criteria and weigh the reasons that they give."""
    views = len(evidence.views)
    return [
        WeightedReason(reason, _weight(reason, weighting, views) * reason.strength)
        for criterion in CRITERIA
        for reason in criterion(evidence)
    ]


def coefficients(reasons: Sequence[WeightedReason]) -> Floats:
    """Return the hard coefficient of each image, (n,) in [0, 1]."""
    easy = np.prod([1 - weighted.part for weighted in reasons], axis=0)
    return np.asarray(1 - easy, dtype=np.float64)


def _weight(reason: HardReason, weighting: Weighting, views: int) -> float:
    weight = weighting.weights.get(reason.number, 0.0)
    return weight / views if reason.number in AUGMENTATIONS else weight


def _hard(coefficient: Floats, weighting: Weighting) -> Sequence[int]:
    """Return the positions over the threshold, ascending; only the hardest if too many are."""
    most = max(1, int(weighting.max_share * len(coefficient)))
    hardest = np.argsort(-coefficient, kind="stable")[:most]
    return sorted(int(i) for i in hardest if coefficient[i] >= weighting.threshold)


def _descriptions(
    rows: Sequence[int], reasons: Sequence[WeightedReason], weighting: Weighting
) -> Iterator[tuple[tuple[int, str], ...]]:
    """Describe the reasons of these images, largest part first; of weak ones only the largest."""
    at = np.array(rows, dtype=np.intp)
    parts = np.array([weighted.part[at] for weighted in reasons])
    ranked = np.argsort(-parts, axis=0, kind="stable")
    strengths = np.array([weighted.reason.strength[at] for weighted in reasons])
    shown = np.take_along_axis(strengths >= weighting.min_strength, ranked, axis=0)
    shown[0] |= ~shown.any(axis=0)
    shown &= np.take_along_axis(parts, ranked, axis=0) > 0
    orders: list[list[int]] = ranked.T.tolist()
    for row, order, chosen in zip(rows, orders, shown.T, strict=True):
        told = [reasons[k].reason for k in compress(order, chosen)]
        yield tuple((reason.number, reason.describe(row)) for reason in told)
