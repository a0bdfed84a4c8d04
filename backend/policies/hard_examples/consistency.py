"""Criterion: the prediction changes with the augmentation (aug_consistent_mining, 19 to 29)."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from backend.domain.answers import Answer
from backend.domain.batches import PredictionBatch
from backend.domain.schema import TaskKind
from backend.domain.versions import AugmentationTrial
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

MOST_CHANGED = 0.15
"""Share of right answers that an augmentation may change and still be a reason to check an image.
The gentle ones of a job change 4 to 6 % of them on `clothing` and 2 to 4 % on digits, 300 labels
each: harmless is what keeps nearly all answers, also where a mirror makes another sign."""

FEWEST = 10
"""Right answers without which an augmentation is not used, as nothing says that it is harmless."""

FEWEST_OF_LABEL = 4
"""With as many images, one label alone can show that an augmentation turns it into another."""


def try_augmentation(
    number: int, plain: Sequence[Answer], augmented: Sequence[Answer], truths: Sequence[Answer]
) -> AugmentationTrial:
    """Decide whether an augmentation keeps the meaning of this project's images.

    Args:
        number: of the augmentation.
        plain: answers to labeled images that the model was not trained on.
        augmented: answers to their augmented copies.
        truths: human answers.
    """
    images, changed = Counter[str](), Counter[str]()
    for before, after, truth in zip(plain, augmented, truths, strict=True):
        if agreement(before, truth) > 0.5:
            label = " + ".join(truth.labels)
            images[label] += 1
            changed[label] += agreement(before, after) <= 0.5
    right, moved = images.total(), changed.total()
    turned = any(
        changed[label] > count / 2 for label, count in images.items() if count >= FEWEST_OF_LABEL
    )
    used = right >= FEWEST and moved <= MOST_CHANGED * right and not turned
    return AugmentationTrial(number, right, moved, used)


def reason_unused(trial: AugmentationTrial) -> str:
    """Say why an augmentation is not used; empty if it is."""
    if trial.used:
        return ""
    if trial.images < FEWEST:
        return f"only {trial.images} of {FEWEST} right answers to held-out images to try it on"
    return f"it changes {trial.changed} of {trial.images} right answers to held-out images"


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
