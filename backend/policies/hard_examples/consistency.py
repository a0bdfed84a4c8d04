"""Criterion: the prediction changes with the augmentation (aug_consistent_mining, 19 to 29)."""

from collections.abc import Iterable

import numpy as np

from backend.domain.batches import PredictionBatch
from backend.domain.schema import TaskKind
from backend.policies.certification.correctness import agreement
from backend.policies.hard_examples.evidence import Evidence, HardReason, summary

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


def changing_answers(evidence: Evidence) -> Iterable[HardReason]:
    """Compare the answers to augmented copies with the answer to the original image."""
    boxes = evidence.control.kind is TaskKind.DETECTION
    for number, view in evidence.views.items():
        yield _reason(number, evidence.predictions, view, boxes)


def _reason(number: int, plain: PredictionBatch, view: PredictionBatch, boxes: bool) -> HardReason:
    """Score boxes by one minus the F1 of one answer against the other.

    Labels score 0 when equal, else 1/2 or more, growing with the total variation distance of the
    probabilities.
    """
    answers = zip(plain.answers, view.answers, strict=True)
    apart = np.array([1 - agreement(one, other) for one, other in answers])
    moved = np.abs(plain.probabilities - view.probabilities).sum(axis=1) / 2
    return HardReason(
        number,
        apart if boxes else apart * np.minimum(1, (1 + moved) / 2),
        lambda i: f"answer changes when {AUGMENTATIONS[number]} ({summary(view.answers[i])})",
    )
