"""Which labels are taken for which others, in boxes."""

from collections.abc import Sequence

import numpy as np

from backend.domain.arrays import Rows
from backend.domain.ids import Label
from backend.models.detection.comparison import MATCH, BoxComparison


def confusion(images: Sequence[BoxComparison], labels: Sequence[Label]) -> Rows:
    """Count boxes by true label (rows) and shown label (columns), (K + 1, K + 1).

    True boxes and shown ones are paired by their overlap, whatever their labels, those of one label
    first. The last row counts shown boxes where nothing is, the last column true boxes that nothing
    was shown for, as the confusion matrix of Ultralytics does.
    """
    number = {label: place for place, label in enumerate(labels)}
    nothing = len(labels)
    cells = np.zeros((nothing + 1, nothing + 1), dtype=np.intp)
    for image in images:
        shown = [number[box.label] for box in image.detections]
        true = [number[box.label] for box in image.truth]
        pairs = _pairs(image)
        for row, column in pairs:
            cells[true[column], shown[row]] += 1
        for row in set(range(len(shown))) - {row for row, _ in pairs}:
            cells[nothing, shown[row]] += 1
        for column in set(range(len(true))) - {column for _, column in pairs}:
            cells[true[column], nothing] += 1
    return cells


def _pairs(image: BoxComparison) -> list[tuple[int, int]]:
    """Pair shown boxes (rows) with true ones, those of one label first, then by overlap."""
    left = np.where(image.iou >= MATCH, image.iou + image.same_label, 0.0)
    found: list[tuple[int, int]] = []
    while left.max(initial=0.0) > 0:
        row, column = divmod(int(left.argmax()), left.shape[1])
        found.append((row, column))
        left[row, :] = left[:, column] = 0.0
    return found
