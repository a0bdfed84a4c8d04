"""What the answer itself tells: low confidence, two labels close to each other."""

from collections.abc import Iterable

import numpy as np

from backend.domain import Kind
from backend.pictures import Floats
from backend.policies.miners.evidence import Evidence, Finding, ramp

LOW_CONFIDENCE = 1
CLOSE = 31
"""Ours: ModelArts has no number for it."""


def low_confidence(evidence: Evidence) -> Iterable[Finding]:
    """ModelArts' predict_score: one minus the calibrated confidence in the whole answer."""
    confidence = evidence.guesses.confidence.astype(np.float64)
    yield Finding(LOW_CONFIDENCE, 1 - confidence, lambda i: f"low confidence ({confidence[i]:.2f})")


def close_labels(evidence: Evidence) -> Iterable[Finding]:
    """Two labels compete (margin, Scheffer et al. 2001), or one of several is a toss-up."""
    probabilities = evidence.guesses.probabilities.astype(np.float64)
    if evidence.control.kind is Kind.DETECTION or probabilities.shape[1] < 2:
        return
    if evidence.control.kind is Kind.MULTI:
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
