"""Which answers a person should check first, and why.

Each miner gives its reasons a strength in [0, 1]; the coefficient is 1 - prod(1 - w_i s_i) with
the weights that Huawei publishes for ModelArts' data selection. The product is ours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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
from backend.policies.hard_examples.evidence import Evidence, Finding
from backend.policies.hard_examples.image_statistics import unusual_pictures
from backend.policies.hard_examples.neighbors import (
    differs_from_its_twin,
    differs_from_neighbors,
    far_from_all,
    unlike_its_label,
)

MINERS: tuple[Callable[[Evidence], Iterable[Finding]], ...] = (
    low_confidence,
    close_labels,
    differs_from_neighbors,
    unlike_its_label,
    far_from_all,
    differs_from_its_twin,
    changing_answers,
    unusual_pictures,
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
class Table:
    """How much each reason weighs, and from where on an answer is hard.

    `weights` by reason number, in [0, 1]; a number that is missing weighs nothing. The
    alterations (19 to 29) share their weight. `threshold` is a coefficient; `most` is the largest
    share of the images that may be called hard, one at least; reasons weaker than `spoken` go
    unsaid.
    """

    weights: Mapping[int, float] = field(default_factory=lambda: MODELARTS_WEIGHTS)
    threshold: float = 0.2
    most: float = 0.5
    spoken: float = 0.3


DEFAULT = Table()


@dataclass(frozen=True, slots=True)
class Hardness:
    """`examples`: the hard ones, in the order of the tasks; `coefficients` (n,): of all."""

    examples: tuple[HardExample, ...]
    coefficients: Floats


def examine(evidence: Evidence, table: Table = DEFAULT) -> Hardness:
    """Weigh what all miners find. Never changes an answer."""
    findings = [finding for miner in MINERS for finding in miner(evidence)]
    parts = [
        _weight(finding, table, len(evidence.views)) * finding.strength for finding in findings
    ]
    easy = np.prod([1 - part for part in parts], axis=0)
    coefficients = np.asarray(1 - easy, dtype=np.float64)
    hard = _hard(coefficients, table)
    tasks = evidence.images.tasks
    examples = tuple(
        HardExample(tasks[i], float(coefficients[i]), _reasons(i, findings, parts, table))
        for i in hard
    )
    return Hardness(examples, coefficients)


def _weight(finding: Finding, table: Table, views: int) -> float:
    weight = table.weights.get(finding.number, 0.0)
    return weight / views if finding.number in AUGMENTATIONS else weight


def _hard(coefficients: Floats, table: Table) -> Sequence[int]:
    """Positions over the threshold, ascending; only the hardest where they are too many."""
    most = max(1, int(table.most * len(coefficients)))
    hardest = np.argsort(-coefficients, kind="stable")[:most]
    return sorted(int(i) for i in hardest if coefficients[i] >= table.threshold)


def _reasons(
    position: int, findings: Sequence[Finding], parts: Sequence[Floats], table: Table
) -> tuple[tuple[int, str], ...]:
    """The reasons of one image, weightiest first; the weightiest alone where all are weak."""
    order = sorted(range(len(findings)), key=lambda f: -float(parts[f][position]))
    strong = [f for f in order if findings[f].strength[position] >= table.spoken]
    said = [findings[f] for f in strong or order[:1] if parts[f][position] > 0]
    return tuple((finding.number, finding.words(position)) for finding in said)
