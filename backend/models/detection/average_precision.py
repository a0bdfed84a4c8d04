"""Precision, recall and average precision of boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.models.detection.edits import edits
from backend.models.detection.overlaps import overlaps

COCO_LEVELS = tuple(at / 100 for at in range(50, 100, 5))


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
