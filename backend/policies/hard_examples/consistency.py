"""Does the answer hold when the picture is altered? ModelArts' aug_consistent_mining (19 to 29)."""

from collections.abc import Iterable

import numpy as np

from backend.domain.batches import PredictionBatch
from backend.domain.schema import TaskKind
from backend.policies.certification.correctness import agreement
from backend.policies.hard_examples.evidence import Evidence, Finding, spoken

AUGMENTATIONS = {
    19: "blurred",
    20: "mirrored",
    21: "cropped",
    22: "upside down",
    23: "scaled",
    24: "shifted",
    25: "sheared",
    26: "reduced to superpixels",
    27: "sharpened",
    28: "brightened",
    29: "inverted",
}


def changing_answers(evidence: Evidence) -> Iterable[Finding]:
    """How far the answer to the altered picture is from the plain one."""
    boxes = evidence.control.kind is TaskKind.DETECTION
    for number, view in evidence.views.items():
        yield _finding(number, evidence.predictions, view, boxes)


def _finding(number: int, plain: PredictionBatch, view: PredictionBatch, boxes: bool) -> Finding:
    """Boxes: one minus the F1 of one answer against the other.

    Labels: 0 for the same ones, else from 1/2 on with the total variation of the probabilities.
    """
    answers = zip(plain.answers, view.answers, strict=True)
    apart = np.array([1 - agreement(one, other) for one, other in answers])
    moved = np.abs(plain.probabilities - view.probabilities).sum(axis=1) / 2
    return Finding(
        number,
        apart if boxes else apart * np.minimum(1, (1 + moved) / 2),
        lambda i: f"answer changes when {AUGMENTATIONS[number]} ({spoken(view.answers[i])})",
    )
