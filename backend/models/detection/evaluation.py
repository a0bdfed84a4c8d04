"""What a detector's figures are on held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Regions
from backend.domain.arrays import Floats
from backend.domain.ids import Label
from backend.models.calibration import expected_calibration_error, reliability
from backend.models.detection.average_precision import (
    COCO_LEVELS,
    at_least,
    box_table,
    mean_average_precision,
    shown_metrics,
)
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.edits import edits
from backend.models.detection.thresholds import CANDIDATE, NOTHING_EXPECTED
from backend.models.folds import stratified

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """What people would have seen: answers, and confidence in each, (n,)."""

    answers: tuple[Regions, ...]
    confidence: Floats


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`figures` for report and card, and `tables` for the report: labels, reliability plot."""

    figures: Mapping[str, float]
    tables: Mapping[str, Any]


def evaluate(
    found: Sequence[Regions],
    truths: Sequence[Regions],
    labels: Sequence[Label],
    seed: int,
    expected: Mapping[Label, Floats] = NOTHING_EXPECTED,
) -> Evaluation:
    """How good the answers are that people would have seen; what cannot be measured is left out.

    `map50`, `map50_95`, `accuracy` (share of images that need no edit), `ece` and `brier` of the
    confidence in that, `edits_per_image`, `images` (measured on), `precision` and `recall`, the
    last two also by label, as `recall/LABEL`.
    Thresholds and calibration are learned on held-out images too, so all figures that depend on
    them are cross-fitted: each image is judged by what the other folds taught.

    Args:
        found: all that the network found, down to low scores.
        truths: what people said, in the same order.
        labels: those of the control.
        seed: deals the folds.
        expected: as in `BoxConfidence.fit`.
    """
    if not truths:
        return Evaluation({}, {})
    candidates = [at_least(image, CANDIDATE) for image in found]
    shown = cross_fitted(candidates, truths, labels, seed, expected)
    right = np.array(
        [
            edits(answer, truth).total == 0
            for answer, truth in zip(shown.answers, truths, strict=True)
        ],
        dtype=np.bool_,
    )
    rows = box_table(shown.answers, truths, labels)
    there = [row for row in rows if row.boxes]
    figures = {
        "map50": mean_average_precision(found, truths, labels),
        "map50_95": mean_average_precision(found, truths, labels, COCO_LEVELS),
        "accuracy": float(right.mean()),
        "ece": expected_calibration_error(shown.confidence, right),
        "brier": float(((shown.confidence - right) ** 2).mean()),
        **shown_metrics(shown.answers, truths, labels),
        **{f"precision/{row.label}": row.precision for row in there},
        **{f"recall/{row.label}": row.recall for row in there},
        "images": float(len(truths)),
    }
    by_rank = box_table(found, truths, labels)
    tables = {
        "metrics_from": "held-out",
        "per_label": [
            {**asdict(row), "ap50": ranked.ap50} for row, ranked in zip(rows, by_rank, strict=True)
        ],
        "reliability": [asdict(point) for point in reliability(shown.confidence, right)],
    }
    return Evaluation(
        {name: figure for name, figure in figures.items() if np.isfinite(figure)}, tables
    )


def cross_fitted(
    candidates: Sequence[Regions],
    truths: Sequence[Regions],
    labels: Sequence[Label],
    seed: int,
    expected: Mapping[Label, Floats] = NOTHING_EXPECTED,
) -> Shown:
    """Each image as a judge fitted on the other folds would show it."""
    fold = stratified(_targets(truths, labels), min(FOLDS, max(1, len(truths))), seed)
    answers = list(candidates)
    confidence = np.zeros(len(candidates))
    for number in np.unique(fold):
        others, own = _positions(fold != number), _positions(fold == number)
        seen, taught = [candidates[at] for at in others], [truths[at] for at in others]
        judge = BoxConfidence.fit(seen, taught, labels, expected)
        confidence[own] = judge.confidence([candidates[at] for at in own])
        for at in own:
            answers[at] = judge.shown(candidates[at])
    return Shown(tuple(answers), confidence)


def _positions(targets: NDArray[np.bool_]) -> list[int]:
    return [int(position) for position in np.flatnonzero(targets)]


def _targets(truths: Sequence[Regions], labels: Sequence[Label]) -> NDArray[np.bool_]:
    rows = [[label in truth.labels for label in labels] for truth in truths]
    return np.array(rows, dtype=np.bool_).reshape(len(truths), len(labels))
