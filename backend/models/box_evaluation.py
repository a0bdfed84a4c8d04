"""What a detector's figures are on held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain import Label, Regions
from backend.models.box_judge import CANDIDATE, BoxJudge
from backend.models.calibration import expected_calibration_error
from backend.models.folds import stratified
from backend.models.metrics import at_least, box_metrics, box_table, edits

FOLDS = 5

_NOTHING = 2.0
"""A score that no box has."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What people would have seen: answers, and confidence in each, (n,)."""

    answers: tuple[Regions, ...]
    confidence: NDArray[np.floating[Any]]


def evaluate(
    found: Sequence[Regions], truths: Sequence[Regions], labels: Sequence[Label], seed: int
) -> Mapping[str, float]:
    """The figures that report and card show.

    `map50`, `map50_95`, `accuracy` (share of images that need no edit), `ece`,
    `edits_per_image`, `precision` and `recall`, the last two also by label, as `recall/LABEL`.
    Thresholds and calibration are learned on held-out images too, so all figures that depend on
    them are cross-fitted: each image is judged by what the other folds taught.

    Args:
        found: all that the network found, down to low scores.
        truths: what people said, in the same order.
        labels: those of the control.
        seed: deals the folds.
    """
    candidates = [at_least(image, CANDIDATE) for image in found]
    shown = cross_fitted(candidates, truths, labels, seed)
    right = np.array(
        [
            edits(answer, truth).total == 0
            for answer, truth in zip(shown.answers, truths, strict=True)
        ],
        dtype=np.bool_,
    )
    ranking = box_metrics(found, truths, labels, shown=_NOTHING)
    seen = box_metrics(shown.answers, truths, labels)
    rows = box_table(shown.answers, truths, labels)
    return {
        "map50": ranking["map50"],
        "map50_95": ranking["map50_95"],
        "accuracy": float(right.mean()) if len(right) else float("nan"),
        "ece": expected_calibration_error(shown.confidence, right, _bins(len(right))),
        **{name: seen[name] for name in ("edits_per_image", "precision", "recall")},
        **{f"precision/{row.label}": row.precision for row in rows},
        **{f"recall/{row.label}": row.recall for row in rows},
    }


def _bins(images: int) -> int:
    """Ten, or fewer so that each has ten images; smaller bins measure chance."""
    return max(1, min(10, images // 10))


def cross_fitted(
    candidates: Sequence[Regions], truths: Sequence[Regions], labels: Sequence[Label], seed: int
) -> Shown:
    """Each image as a judge fitted on the other folds would show it."""
    fold = stratified(_flags(truths, labels), min(FOLDS, max(1, len(truths))), seed)
    answers = list(candidates)
    confidence = np.zeros(len(candidates))
    for number in np.unique(fold):
        others, own = _positions(fold != number), _positions(fold == number)
        seen, taught = [candidates[at] for at in others], [truths[at] for at in others]
        judge = BoxJudge.fit(seen, taught, labels)
        confidence[own] = judge.confidence([candidates[at] for at in own])
        for at in own:
            answers[at] = judge.shown(candidates[at])
    return Shown(tuple(answers), confidence)


def _positions(flags: NDArray[np.bool_]) -> list[int]:
    return [int(position) for position in np.flatnonzero(flags)]


def _flags(truths: Sequence[Regions], labels: Sequence[Label]) -> NDArray[np.bool_]:
    rows = [[label in truth.labels for label in labels] for truth in truths]
    return np.array(rows, dtype=np.bool_).reshape(len(truths), len(labels))
