"""Criteria that need the prediction alone: low confidence and close labels."""

from collections.abc import Iterable, Sequence

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.arrays import Floats
from backend.domain.schema import TaskKind
from backend.policies.hard_examples.evidence import Evidence, HardReason, ramp

LOW_CONFIDENCE = 1
CLOSE = 31
"""Not one of ModelArts' numbers (0 to 30)."""

TOSS_UP = 0.5
"""A box below it is more likely wrong than right."""


def low_confidence(evidence: Evidence) -> Iterable[HardReason]:
    """Score one minus the calibrated confidence (ModelArts' predict_score, 1).

    Boxes use the mean confidence of the predicted boxes: the confidence that an image of many
    boxes needs no edit at all is always low, and so is the minimum over many boxes.
    """
    confidence = evidence.predictions.confidence.astype(np.float64)
    if evidence.control.kind is TaskKind.DETECTION:
        yield _unsure_boxes(evidence.predictions.answers, confidence)
        return
    yield HardReason(
        LOW_CONFIDENCE, 1 - confidence, lambda i: f"low confidence ({confidence[i]:.2f})"
    )


def _unsure_boxes(answers: Sequence[Answer], confidence: Floats) -> HardReason:
    """Use `confidence`, here that the image has no box, for images without predicted boxes."""
    scores = [_scores(answer) for answer in answers]
    pairs = zip(scores, confidence, strict=True)
    mean = np.array([np.mean(boxes) if boxes else whole for boxes, whole in pairs])

    def describe(i: int) -> str:
        unsure = sum(score < TOSS_UP for score in scores[i])
        which = f", {unsure} of {len(scores[i])} boxes below {TOSS_UP}" if unsure else ""
        return f"low confidence ({mean[i]:.2f}{which})"

    return HardReason(LOW_CONFIDENCE, 1 - mean, describe)


def _scores(answer: Answer) -> Sequence[float]:
    """Return the calibrated confidence of each box."""
    if not isinstance(answer, Regions):
        return ()
    return [region.score for region in answer.regions if region.score is not None]


def close_labels(evidence: Evidence) -> Iterable[HardReason]:
    """Score a small margin between the top two labels (Scheffer et al. 2001).

    With several labels an image: a label whose probability is close to 0.5.
    """
    probabilities = evidence.predictions.probabilities.astype(np.float64)
    if evidence.control.kind is TaskKind.DETECTION or probabilities.shape[1] < 2:
        return
    if evidence.control.kind is TaskKind.MULTI:
        yield _undecided(evidence, probabilities)
        return
    two = np.sort(probabilities, axis=1)[:, -2:]
    yield HardReason(
        CLOSE,
        1 - ramp(two[:, 1] - two[:, 0], 0, 0.25),
        lambda i: f"top two labels close ({two[i, 1]:.2f}, {two[i, 0]:.2f})",
    )


def _undecided(evidence: Evidence, probabilities: Floats) -> HardReason:
    distance = np.abs(probabilities - 0.5)
    label = distance.argmin(axis=1)
    rows = np.arange(len(label))
    return HardReason(
        CLOSE,
        1 - ramp(distance[rows, label], 0, 0.25),
        lambda i: (
            f"undecided about '{evidence.control.labels[int(label[i])]}' "
            f"({probabilities[i, label[i]]:.2f})"
        ),
    )
