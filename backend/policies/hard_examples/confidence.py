"""What the answer itself tells: low confidence, two labels close to each other."""

from collections.abc import Iterable, Sequence

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.arrays import Floats
from backend.domain.schema import TaskKind
from backend.policies.hard_examples.evidence import Evidence, Finding, ramp

LOW_CONFIDENCE = 1
CLOSE = 31
"""Ours: ModelArts has no number for it."""

TOSS_UP = 0.5
"""A box below it is more likely wrong than right."""


def low_confidence(evidence: Evidence) -> Iterable[Finding]:
    """ModelArts' predict_score: one minus the calibrated confidence.

    In the whole answer; for boxes in the mean one shown, since a whole image of many small boxes
    hardly ever needs no edit at all, and the least sure box of many is never sure.
    """
    confidence = evidence.predictions.confidence.astype(np.float64)
    if evidence.control.kind is TaskKind.DETECTION:
        yield _unsure_boxes(evidence.predictions.answers, confidence)
        return
    yield Finding(LOW_CONFIDENCE, 1 - confidence, lambda i: f"low confidence ({confidence[i]:.2f})")


def _unsure_boxes(answers: Sequence[Answer], confidence: Floats) -> Finding:
    """Where no box is shown, `confidence` is that there is none."""
    chances = [_chances(answer) for answer in answers]
    pairs = zip(chances, confidence, strict=True)
    usual = np.array([np.mean(boxes) if boxes else whole for boxes, whole in pairs])

    def words(i: int) -> str:
        unsure = sum(chance < TOSS_UP for chance in chances[i])
        which = f", {unsure} of {len(chances[i])} boxes below {TOSS_UP}" if unsure else ""
        return f"low confidence ({usual[i]:.2f}{which})"

    return Finding(LOW_CONFIDENCE, 1 - usual, words)


def _chances(answer: Answer) -> Sequence[float]:
    """The chance of each box to be right."""
    if not isinstance(answer, Regions):
        return ()
    return [region.score for region in answer.regions if region.score is not None]


def close_labels(evidence: Evidence) -> Iterable[Finding]:
    """Two labels compete (margin, Scheffer et al. 2001), or one of several is a toss-up."""
    probabilities = evidence.predictions.probabilities.astype(np.float64)
    if evidence.control.kind is TaskKind.DETECTION or probabilities.shape[1] < 2:
        return
    if evidence.control.kind is TaskKind.MULTI:
        yield _toss_up(evidence, probabilities)
        return
    two = np.sort(probabilities, axis=1)[:, -2:]
    yield Finding(
        CLOSE,
        1 - ramp(two[:, 1] - two[:, 0], 0, 0.25),
        lambda i: f"top two labels close ({two[i, 1]:.2f}, {two[i, 0]:.2f})",
    )


def _toss_up(evidence: Evidence, probabilities: Floats) -> Finding:
    doubt = np.abs(probabilities - 0.5)
    label = doubt.argmin(axis=1)
    rows = np.arange(len(label))
    return Finding(
        CLOSE,
        1 - ramp(doubt[rows, label], 0, 0.25),
        lambda i: (
            f"undecided about '{evidence.control.labels[int(label[i])]}' "
            f"({probabilities[i, label[i]]:.2f})"
        ),
    )
