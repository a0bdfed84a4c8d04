"""Metrics of a detector on held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.ids import Label
from backend.models.calibration import expected_calibration_error, reliability
from backend.models.detection.average_precision import average_precisions, mean
from backend.models.detection.comparison import BoxComparison, PooledDetections, count
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.confusion import confusion
from backend.models.detection.edits import count_edits
from backend.models.detection.thresholds import CANDIDATE, NO_PRIOR
from backend.models.folds import stratified
from backend.models.precision_coverage import precision_coverage

FOLDS = 5

WIDEST_CONFUSION = 50
"""With more labels the report has no confusion table."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`metrics` for the report and the model card, and `tables` for the report."""

    metrics: Mapping[str, float]
    tables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Boxes that people would have seen, and the confidence in each image, (n,)."""

    images: tuple[BoxComparison, ...]
    confidence: Floats


@dataclass(frozen=True, slots=True)
class BoxRow:
    """Metrics of one label's boxes at an IoU of 0.5.

    `precision` and `recall` are those of the shown boxes, and 0 without a denominator, as in
    scikit-learn. `ap50` ranks all detections; nan where no true box has the label. `boxes` counts
    the true boxes.
    """

    label: Label
    precision: float
    recall: float
    ap50: float
    boxes: int


def evaluate(
    images: Sequence[BoxComparison],
    labels: Sequence[Label],
    seed: int,
    prior: Mapping[Label, Floats] = NO_PRIOR,
) -> Evaluation:
    """Measure the answers that people would have seen; leave out what cannot be measured.

    Thresholds and calibration are fitted on held-out images too, so all metrics that depend on
    them are cross-fitted: the other folds decide what is shown of an image.

    Args:
        images: all detections, down to low scores, beside what people drew.
        labels: those of the control.
        seed: decides the folds.
        prior: as in `BoxConfidence.fit`.
    """
    if not images:
        return Evaluation({}, {})
    shown = cross_fitted([image.at_least(CANDIDATE) for image in images], labels, seed, prior)
    edits = np.array([count_edits(image).total for image in shown.images])
    precisions = average_precisions(images, labels)
    rows = label_rows(shown.images, labels, precisions[:, 0])
    metrics = {
        "map50": mean(precisions[:, :1]),
        "map50_95": mean(precisions),
        **image_metrics(shown.confidence, edits),
        **box_metrics(shown.images, labels),
        **_by_label(rows),
    }
    finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
    found = tables(rows, shown.confidence, edits == 0)
    return Evaluation(finite, {**found, **box_tables(shown.images, labels)})


def image_metrics(confidence: Floats, edits: Rows) -> Mapping[str, float]:
    """Compute the metrics of whole images; `accuracy` is the share of images that need no edit.

    Args:
        confidence: that each image needs no edit, (n,).
        edits: number of edits that it needs, (n,).
    """
    correct = edits == 0
    return {
        "accuracy": float(correct.mean()),
        "ece": expected_calibration_error(confidence, correct),
        "brier": float(((confidence - correct) ** 2).mean()),
        "edits_per_image": float(edits.mean()),
        "images": float(len(edits)),
    }


def box_metrics(shown: Sequence[BoxComparison], labels: Sequence[Label]) -> Mapping[str, float]:
    """Compute precision and recall of the shown boxes of all labels together."""
    boxes = sum(count(shown, label) for label in labels)
    return _precision_recall(PooledDetections.of(shown), boxes)


def label_rows(
    shown: Sequence[BoxComparison], labels: Sequence[Label], ap50: Floats
) -> tuple[BoxRow, ...]:
    """Compute one row per label; `ap50` (len(labels),)."""
    pooled = PooledDetections.of(shown)
    rows: list[BoxRow] = []
    for label, ap in zip(labels, ap50, strict=True):
        boxes = count(shown, label)
        quotients = _precision_recall(pooled.of_label(label), boxes)
        rows.append(BoxRow(label, **quotients, ap50=float(ap), boxes=boxes))
    return tuple(rows)


def tables(rows: Sequence[BoxRow], confidence: Floats, correct: Targets) -> Mapping[str, Any]:
    """Build the tables of the report: one row per label, one point per bin of confidence."""
    return {
        "metrics_from": "held-out",
        "per_label": [asdict(row) for row in rows],
        "reliability": [asdict(point) for point in reliability(confidence, correct)],
    }


def box_tables(shown: Sequence[BoxComparison], labels: Sequence[Label]) -> Mapping[str, Any]:
    """Build the tables about shown boxes: how precise the surest are, and which are confused."""
    pooled = PooledDetections.of(shown)
    found: dict[str, Any] = {
        "coverage": [asdict(one) for one in precision_coverage(pooled.scores, pooled.right[0])]
    }
    if len(labels) <= WIDEST_CONFUSION:
        found["confusion"] = confusion(shown, labels).tolist()
    return found


def cross_fitted(
    candidates: Sequence[BoxComparison],
    labels: Sequence[Label],
    seed: int,
    prior: Mapping[Label, Floats] = NO_PRIOR,
) -> CrossFitted:
    """Decide what is shown of each image by thresholds fitted on the other folds."""
    fold = stratified(_label_sets(candidates, labels), min(FOLDS, max(1, len(candidates))), seed)
    shown = list(candidates)
    confidence = np.zeros(len(candidates))
    for number in np.unique(fold):
        others = [candidates[int(at)] for at in np.flatnonzero(fold != number)]
        fitted = BoxConfidence.fit(others, labels, prior)
        for at in np.flatnonzero(fold == number):
            image = candidates[int(at)]
            shown[at] = image.take(fitted.shown(image.detections))
            confidence[at] = fitted.confidence([Regions(image.detections)])[0]
    return CrossFitted(tuple(shown), confidence)


def _precision_recall(shown: PooledDetections, boxes: int) -> dict[str, float]:
    right = int(shown.right.sum())
    return {"precision": right / max(1, len(shown.scores)), "recall": right / max(1, boxes)}


def _by_label(rows: Sequence[BoxRow]) -> Mapping[str, float]:
    measured = [row for row in rows if row.boxes]
    return {
        **{f"precision/{row.label}": row.precision for row in measured},
        **{f"recall/{row.label}": row.recall for row in measured},
    }


def _label_sets(candidates: Sequence[BoxComparison], labels: Sequence[Label]) -> Targets:
    """Tell which labels the true boxes of each image have, (n, len(labels))."""
    sets = [{box.label for box in image.truth} for image in candidates]
    rows = [[label in own for label in labels] for own in sets]
    return np.array(rows, dtype=np.bool_).reshape(len(candidates), len(labels))
