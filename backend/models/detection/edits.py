"""The edits that make predicted boxes right."""

from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Regions
from backend.domain.arrays import Floats, Targets
from backend.models.detection.overlaps import overlaps

LOOSE = 0.1
"""IoU from which a box of the right label counts as misplaced rather than as another object."""


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


def _pair(overlap: Floats, allowed: Targets) -> int:
    """Pair rows with columns, best overlap first; paired ones leave `overlap` for good."""
    pairs = 0
    for cell in np.argsort(-overlap, axis=None, kind="stable").tolist():
        row, column = divmod(cell, overlap.shape[1])
        if allowed[row, column] and overlap[row, column] >= 0:
            overlap[row, :] = overlap[:, column] = -1
            pairs += 1
    return pairs
