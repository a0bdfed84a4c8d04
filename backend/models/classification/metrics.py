"""Metrics of answers with labels of whole images.

Calibration measures confidences; here only the answers count. The tests compare with
scikit-learn, which costs each job 6 s and 129 MB to import: see
docs/decisions/own-metrics-clusters-and-tails.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Metrics of one label; a ratio with denominator 0 is 0, as scikit-learn's zero_division=0."""

    label: Label
    precision: float
    recall: float
    f1: float
    images: int


def accuracy(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the share of rows that are right as a whole; NaN without rows.

    Args:
        predicted: (n,) classes, or (n, K) multi-hot labels, which must all be right.
        truth: the same shape.
    """
    if not len(truth):
        return float("nan")
    right: NDArray[Any] = np.equal(predicted, truth).reshape(len(truth), -1)
    return int(np.count_nonzero(right.sum(axis=1) == right.shape[1])) / len(truth)


def confusion(predicted: NDArray[np.intp], truth: NDArray[np.intp], classes: int) -> NDArray[Any]:
    """Count images by true class (rows) and predicted class (columns), (classes, classes)."""
    cells = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def multi_label_confusion(predicted: Targets, truth: Targets) -> NDArray[Any]:
    """Count images by true label (rows) and predicted label (columns), (K + 1, K + 1).

    Each missed label of an image counts as confused with each label that was wrongly predicted for
    it. The last column counts labels that were missed where none was wrongly predicted, the last
    row those that were wrongly predicted where none was missed. After MLCM (Heydarian, Doyle &
    Samavi, IEEE Access 2022).

    Args:
        predicted: (n, K) multi-hot.
        truth: the same shape.
    """
    missed, extra = truth & ~predicted, predicted & ~truth
    only_missed: Targets = missed & ~extra.any(axis=1, keepdims=True)
    only_extra: Targets = extra & ~missed.any(axis=1, keepdims=True)
    labels = missed.T.astype(np.intp) @ extra.astype(np.intp)
    np.fill_diagonal(labels, (predicted & truth).sum(axis=0))
    cells = np.zeros((len(labels) + 1, len(labels) + 1), dtype=np.intp)
    cells[:-1, :-1] = labels
    cells[:-1, -1], cells[-1, :-1] = only_missed.sum(axis=0), only_extra.sum(axis=0)
    return cells


def label_table(
    predicted: Targets, truth: Targets, labels: Sequence[Label]
) -> tuple[LabelRow, ...]:
    """Return precision, recall and F1 of each label.

    Args:
        predicted: (n, K) multi-hot, columns in the order of `labels`.
        truth: the same shape.
        labels: K.
    """
    hits = (predicted & truth).sum(axis=0)
    precision = _ratio(hits, predicted.sum(axis=0))
    recall = _ratio(hits, truth.sum(axis=0))
    f1 = _ratio(2 * hits, predicted.sum(axis=0) + truth.sum(axis=0))
    columns = zip(labels, precision, recall, f1, truth.sum(axis=0), strict=True)
    return tuple(
        LabelRow(label, float(p), float(r), float(f), int(n)) for label, p, r, f, n in columns
    )


def macro_f1(predicted: Targets, truth: Targets) -> float:
    """Return the mean F1 over labels that occur in truth or prediction; NaN if none does."""
    seen = predicted.any(axis=0) | truth.any(axis=0)
    if not seen.any():
        return float("nan")
    hits = (predicted & truth).sum(axis=0)
    return float(_ratio(2 * hits, predicted.sum(axis=0) + truth.sum(axis=0))[seen].mean())


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    return part / np.maximum(whole, 1)
