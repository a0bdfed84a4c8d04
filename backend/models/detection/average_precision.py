"""Average precision of boxes, by COCO's rules."""

from collections.abc import Sequence

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.models.detection.comparison import (
    BoxComparison,
    PooledDetections,
    compare,
    count,
)

COCO_LEVELS = tuple(at / 100 for at in range(50, 100, 5))
"""IoU levels that mAP50-95 averages over."""

_RECALLS = np.linspace(0, 1, 101)


def average_precisions(
    images: Sequence[BoxComparison],
    labels: Sequence[Label],
    levels: Sequence[float] = COCO_LEVELS,
) -> Floats:
    """Compute the average precision by label and IoU level, (len(labels), len(levels)).

    Detections of all images are ranked together. The rows of labels that no true box has are nan.
    pycocotools counts at most 100 detections an image; here all count.
    """
    pooled = PooledDetections.of(images, levels)
    table = np.full((len(labels), len(levels)), np.nan)
    for row, label in enumerate(labels):
        if total := count(images, label):
            own = pooled.of_label(label)
            ranked = own.right[:, np.argsort(-own.scores, kind="stable")]
            table[row] = [_area(hits, total) for hits in ranked]
    return table


def mean_average_precision(
    detections: Sequence[Regions],
    truths: Sequence[Regions],
    labels: Sequence[Label],
    levels: Sequence[float] = (0.5,),
) -> float:
    """Average over IoU levels and the labels that have a true box; nan where none has.

    The level 0.5 alone gives mAP50, `COCO_LEVELS` give mAP50-95.
    """
    return mean(average_precisions(compare(detections, truths), labels, levels))


def mean(table: Floats) -> float:
    """Average the rows that are not nan; nan where there are none."""
    known = table[~np.isnan(table).any(axis=1)]
    return float(known.mean()) if known.size else float("nan")


def _area(hits: Targets, total: int) -> float:
    """Return the area under the precision-recall curve: the mean precision at recall 0, 0.01 ... 1.

    Precision is first made monotone, as in pycocotools' `accumulate`.

    Args:
        hits: whether each detection is right, best score first.
        total: number of true boxes.
    """
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(found / total, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[np.minimum(reached, len(envelope))].mean())
