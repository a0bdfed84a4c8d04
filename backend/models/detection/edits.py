"""Edits that a person must make until the boxes of an image are right."""

from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats, Targets
from backend.models.detection.comparison import MATCH, BoxComparison

LOOSE = 0.1
"""IoU from which a box of the right label counts as misplaced rather than as another object."""


@dataclass(frozen=True, slots=True)
class Edits:
    """Number of boxes to add, delete, move or give another label."""

    add: int = 0
    delete: int = 0
    move: int = 0
    relabel: int = 0

    @property
    def total(self) -> int:
        """Zero means that the answer is right: no box is missing, wrong or superfluous."""
        return self.add + self.delete + self.move + self.relabel


def edits(prediction: Regions, truth: Regions, iou: float = MATCH) -> Edits:
    """Count the edits that turn a prediction into the truth."""
    return count_edits(BoxComparison.of(prediction, truth), iou)


def count_edits(image: BoxComparison, iou: float = MATCH) -> Edits:
    """Count the edits of an image; boxes are paired greedily, largest overlap first.

    Right boxes are paired first, then those with the wrong label, then those of the right label
    whose overlap is `LOOSE` or more. Detections left over are deleted, true boxes left over added.
    """
    overlap, same = image.iou.copy(), image.same_label
    right = _pair(overlap, same & (overlap >= iou))
    relabel = _pair(overlap, ~same & (overlap >= iou))
    move = _pair(overlap, same & (overlap >= LOOSE))
    paired = right + relabel + move
    return Edits(
        add=len(image.truth) - paired,
        delete=len(image.detections) - paired,
        move=move,
        relabel=relabel,
    )


def _pair(overlap: Floats, allowed: Targets) -> int:
    """Pair rows with columns where allowed and return how many; sets their overlaps to -1."""
    pairs = 0
    cells = np.flatnonzero(allowed)
    for cell in cells[np.argsort(-overlap.ravel()[cells], kind="stable")].tolist():
        row, column = divmod(cell, overlap.shape[1])
        if overlap[row, column] >= 0:
            overlap[row, :] = overlap[:, column] = -1
            pairs += 1
    return pairs
