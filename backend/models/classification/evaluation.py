"""Metrics and tables of a classifier for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.batches import PredictionBatch
from backend.domain.ids import Label
from backend.domain.schema import Control
from backend.domain.targets import multi_hot
from backend.models import calibration
from backend.models.classification import metrics
from backend.models.link_functions import SOFTMAX, Link, link_of
from backend.models.precision_coverage import precision_coverage

SMALLEST = 1e-6
"""Least probability in the log loss: a label that nobody has used yet has probability 0."""

WIDEST_CONFUSION = 50
"""With more labels the report has no confusion table."""


def evaluate(
    control: Control, predictions: PredictionBatch, truth: Targets
) -> tuple[Mapping[str, float], Mapping[str, Any]]:
    """Return metrics and tables of predictions with known truth (n, K); empty without images."""
    if not len(truth):
        return {}, {}
    link, confidence = link_of(control.kind), predictions.confidence
    answers = multi_hot(predictions.answers, control.labels)
    return (
        scores(link, predictions.probabilities, answers, confidence, truth),
        tables(link, answers, confidence, truth, control.labels),
    )


def scores(
    link: Link, probabilities: Floats, answers: Targets, confidence: Floats, truth: Targets
) -> Mapping[str, float]:
    """Return the metrics of the report by name; those that are not finite are left out.

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
    """Return the mean negative log likelihood in nats, summed over labels if there are several."""
    inside = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    negatives = 0.0 if link is SOFTMAX else np.where(truth, 0.0, np.log1p(-inside))
    return -float((np.where(truth, np.log(inside), 0.0) + negatives).sum(axis=1).mean())


def tables(
    link: Link, answers: Targets, confidence: Floats, truth: Targets, labels: Sequence[Label]
) -> Mapping[str, Any]:
    """Return the tables of the report: labels, confusion (true by row), reliability, coverage.

    With several labels the confusion has one more row and column, for none.
    """
    right = (answers == truth).sum(axis=1) == truth.shape[1]
    found: dict[str, Any] = {
        "per_label": [asdict(row) for row in metrics.label_table(answers, truth, labels)],
        "reliability": [asdict(point) for point in calibration.reliability(confidence, right)],
        "coverage": [asdict(point) for point in precision_coverage(confidence, right)],
    }
    if len(labels) <= WIDEST_CONFUSION:
        found["confusion"] = _confusion(link, answers, truth).tolist()
    return found


def _confusion(link: Link, answers: Targets, truth: Targets) -> Rows:
    if link is not SOFTMAX:
        return metrics.multi_label_confusion(answers, truth)
    known = truth.any(axis=1)
    return metrics.confusion(
        answers[known].argmax(axis=1), truth[known].argmax(axis=1), truth.shape[1]
    )
