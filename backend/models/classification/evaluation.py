"""What a report says of a classifier, given answers whose truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.models import calibration, metrics
from backend.models.links import SOFTMAX, Link

SMALLEST = 1e-6
"""Probability that stands in for 0 in the log loss: a label that nobody had used yet."""

WIDEST_CONFUSION = 50
"""Labels up to which a confusion table is worth a report's space."""


def scores(
    link: Link, probabilities: Floats, answers: Targets, confidence: Floats, truth: Targets
) -> Mapping[str, float]:
    """The figures of the report.

    Args:
        link: one label of many, or several.
        probabilities, answers, truth: (n, K), n at least 1.
        confidence: (n,) in the whole answer.
    """
    right = (answers == truth).sum(axis=1) == truth.shape[1]
    found = {
        "accuracy": metrics.accuracy(answers, truth),
        "macro_f1": metrics.macro_f1(answers, truth),
        "log_loss": log_loss(link, probabilities, truth),
        "brier": calibration.brier(probabilities, truth),
        "ece": calibration.expected_calibration_error(confidence, right),
        "ece_equal_width": calibration.expected_calibration_error(
            confidence, right, 15, equal_mass=False
        ),
        "images": float(len(truth)),
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def log_loss(link: Link, probabilities: Floats, truth: Targets) -> float:
    """Mean negative log likelihood in nats; over several labels their sum."""
    inside = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    negatives = 0.0 if link is SOFTMAX else np.where(truth, 0.0, np.log1p(-inside))
    return -float((np.where(truth, np.log(inside), 0.0) + negatives).sum(axis=1).mean())


def tables(
    link: Link, answers: Targets, confidence: Floats, truth: Targets, labels: Sequence[Label]
) -> Mapping[str, Any]:
    """The tables of the report: labels, confusion (true by row), and the reliability plot."""
    right = (answers == truth).sum(axis=1) == truth.shape[1]
    found: dict[str, Any] = {
        "per_label": [asdict(row) for row in metrics.label_table(answers, truth, labels)],
        "reliability": [asdict(point) for point in calibration.reliability(confidence, right)],
    }
    known = truth.any(axis=1)
    if link is SOFTMAX and len(labels) <= WIDEST_CONFUSION:
        cells = metrics.confusion(
            answers[known].argmax(axis=1), truth[known].argmax(axis=1), len(labels)
        )
        found["confusion"] = cells.tolist()
    return found
