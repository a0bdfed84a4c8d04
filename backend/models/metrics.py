"""How good answers are for labels of a whole image.

Confidence is judged in `backend.models.calibration`; here only the answers count.
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
    """How one label fared; a quotient without a denominator is 0, as scikit-learn has it."""

    label: Label
    precision: float
    recall: float
    f1: float
    images: int


def accuracy(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of rows that are right as a whole; nan without rows.

    Args:
        predicted, truth: (n,) class numbers, or (n, K) flags: then every label must be right.
    """
    if not len(truth):
        return float("nan")
    right: NDArray[Any] = np.equal(predicted, truth).reshape(len(truth), -1)
    return int(np.count_nonzero(right.sum(axis=1) == right.shape[1])) / len(truth)


def confusion(predicted: NDArray[np.intp], truth: NDArray[np.intp], classes: int) -> NDArray[Any]:
    """Images by true class (rows) and predicted class (columns), (classes, classes)."""
    cells = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def label_table(
    predicted: Targets, truth: Targets, labels: Sequence[Label]
) -> tuple[LabelRow, ...]:
    """Precision, recall and F1 of each label.

    Args:
        predicted, truth: (n, K) flags, columns in the order of `labels`.
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
    """Mean F1 over the labels that occur in the truth or the prediction; nan where none does."""
    seen = predicted.any(axis=0) | truth.any(axis=0)
    if not seen.any():
        return float("nan")
    hits = (predicted & truth).sum(axis=0)
    return float(_ratio(2 * hits, predicted.sum(axis=0) + truth.sum(axis=0))[seen].mean())


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    return part / np.maximum(whole, 1)
