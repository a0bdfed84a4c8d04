"""How good answers are, for whole-image labels and for rectangles.

Confidence is judged in `backend.models.calibration`; here only the answers count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Region, Regions
from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label

# --- labels of a whole image -------------------------------------------------------------------


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


# --- rectangles --------------------------------------------------------------------------------

LOOSE = 0.1
"""IoU from which a box of the right label counts as misplaced rather than as another object."""

COCO_LEVELS = tuple(at / 100 for at in range(50, 100, 5))


@dataclass(frozen=True, slots=True)
class Edits:
    """What a person must do to a prediction until it is right, in boxes."""

    add: int = 0
    delete: int = 0
    move: int = 0
    relabel: int = 0

    @property
    def total(self) -> int:
        """Zero means that the image is right: every box found, none too many."""
        return self.add + self.delete + self.move + self.relabel


@dataclass(frozen=True, slots=True)
class BoxRow:
    """How one label's boxes fared at IoU 0.5; `ap50` is nan where the truth has none."""

    label: Label
    precision: float
    recall: float
    ap50: float
    boxes: int


def average_precision(
    predictions: Sequence[Regions], truths: Sequence[Regions], label: Label, iou: float
) -> float:
    """Area under the precision-recall curve of one label, by COCO's 101-point rule.

    Precision is made monotone and averaged at recall 0, 0.01 ... 1 (cocoeval of pycocotools,
    there with at most 100 boxes an image; here all count). nan where no truth has the label.
    """
    total = sum(len(_of_label(truth, label)) for truth in truths)
    if not total:
        return float("nan")
    scores, hits = _ranked(predictions, truths, label, iou)
    found = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
    recall_points = np.linspace(0, 1, 101)
    reached = np.searchsorted(found / total, recall_points, side="left")
    return float(np.append(precision, 0.0)[np.minimum(reached, len(precision))].mean())


def mean_average_precision(
    predictions: Sequence[Regions],
    truths: Sequence[Regions],
    labels: Sequence[Label],
    levels: Sequence[float] = (0.5,),
) -> float:
    """Over the labels that have a true box, as COCO has it, and these levels of IoU.

    nan where none has one; 0.5 alone is mAP50, `COCO_LEVELS` are mAP50-95.
    """
    table = [
        [average_precision(predictions, truths, label, at) for at in levels] for label in labels
    ]
    known = [row for row in table if not np.isnan(row[0])]
    return float(np.mean(known)) if known else float("nan")


def shown_metrics(
    shown: Sequence[Regions], truths: Sequence[Regions], labels: Sequence[Label]
) -> Mapping[str, float]:
    """`precision`, `recall` and `edits_per_image` of the boxes that a person sees."""
    ranked = [_ranked(shown, truths, label, 0.5)[1] for label in labels]
    hits = sum(int(targets.sum()) for targets in ranked)
    boxes = sum(len(_of_label(truth, label)) for truth in truths for label in labels)
    work = [edits(*pair).total for pair in zip(shown, truths, strict=True)]
    return {
        "precision": hits / max(1, sum(len(targets) for targets in ranked)),
        "recall": hits / max(1, boxes),
        "edits_per_image": float(np.mean(work)) if work else float("nan"),
    }


def box_table(
    predictions: Sequence[Regions],
    truths: Sequence[Regions],
    labels: Sequence[Label],
) -> tuple[BoxRow, ...]:
    """One row a label; all boxes count as shown."""
    rows: list[BoxRow] = []
    for label in labels:
        hits = _ranked(predictions, truths, label, 0.5)[1]
        boxes = sum(len(_of_label(truth, label)) for truth in truths)
        found = int(hits.sum())
        ap50 = average_precision(predictions, truths, label, 0.5)
        rows.append(BoxRow(label, found / max(1, len(hits)), found / max(1, boxes), ap50, boxes))
    return tuple(rows)


def at_least(prediction: Regions, score: float) -> Regions:
    """The boxes with this score or more; a box without a score is a person's and stays."""
    return Regions(
        tuple(box for box in prediction.regions if box.score is None or box.score >= score)
    )


def edits(prediction: Regions, truth: Regions, iou: float = 0.5) -> Edits:
    """The edits that make a prediction right, boxes paired greedily by overlap.

    First boxes that are right are paired, then those with the wrong label, then those of the
    right label that lie loosely (IoU of `LOOSE` or more). What is left is deleted or added.
    """
    overlap = overlaps(prediction.regions, truth.regions)
    same = np.array(
        [[predict.label == true.label for true in truth.regions] for predict in prediction.regions],
        dtype=np.bool_,
    ).reshape(overlap.shape)
    right = _pair(overlap, same & (overlap >= iou))
    relabel = _pair(overlap, ~same & (overlap >= iou))
    move = _pair(overlap, same & (overlap >= LOOSE))
    paired = right + relabel + move
    return Edits(
        add=len(truth.regions) - paired,
        delete=len(prediction.regions) - paired,
        move=move,
        relabel=relabel,
    )


def overlaps(ones: Sequence[Region], others: Sequence[Region]) -> Floats:
    """IoU of every box with every other, (len(ones), len(others))."""
    one, other = _corners(ones)[:, None], _corners(others)[None, :]
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared)


def _pair(overlap: Floats, allowed: Targets) -> int:
    """Pair rows with columns, best overlap first; paired ones leave `overlap` for good."""
    pairs = 0
    for cell in np.argsort(-overlap, axis=None, kind="stable").tolist():
        row, column = divmod(cell, overlap.shape[1])
        if allowed[row, column] and overlap[row, column] >= 0:
            overlap[row, :] = overlap[:, column] = -1
            pairs += 1
    return pairs


def _ranked(
    predictions: Sequence[Regions], truths: Sequence[Regions], label: Label, iou: float
) -> tuple[Floats, Targets]:
    """Score of every predicted box of a label, and whether it found a true box."""
    scores: list[float] = []
    hits: list[bool] = []
    for prediction, truth in zip(predictions, truths, strict=True):
        guesses = sorted(_of_label(prediction, label), key=_score, reverse=True)
        scores += [_score(predict) for predict in guesses]
        hits += _hits(overlaps(guesses, _of_label(truth, label)), iou)
    return np.array(scores, dtype=np.float64), np.array(hits, dtype=np.bool_)


def _hits(overlap: Floats, iou: float) -> list[bool]:
    """Whether each guess, best first, takes a true box that no better guess took."""
    hits: list[bool] = []
    for predict in range(len(overlap)):
        best = int(overlap[predict].argmax()) if overlap.shape[1] else -1
        hits.append(best >= 0 and bool(overlap[predict, best] >= iou))
        if hits[-1]:
            overlap[:, best] = -1
    return hits


def _of_label(regions: Regions, label: Label) -> list[Region]:
    return [region for region in regions.regions if region.label == label]


def _score(region: Region) -> float:
    return 1.0 if region.score is None else region.score


def _corners(regions: Sequence[Region]) -> Floats:
    rows = [
        (region.box.left, region.box.top, region.box.right, region.box.bottom) for region in regions
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
