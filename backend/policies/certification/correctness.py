"""Decide whether a whole answer is right: what confidence predicts and certificates count."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Answer, Choices, Region, Regions
from backend.domain.geometry import iou

SAME_BOX = 0.5
"""Two boxes are the same object from this intersection over union on (PASCAL VOC)."""


def right(answers: Sequence[Answer], truths: Sequence[Answer]) -> NDArray[np.bool_]:
    """Return (n,) whether each answer needs no edit."""
    pairs = zip(answers, truths, strict=True)
    return np.array([is_right(answer, truth) for answer, truth in pairs], dtype=np.bool_)


def is_right(answer: Answer, truth: Answer) -> bool:
    """Return whether the labels are the same; boxes must all be found, with their labels."""
    if isinstance(answer, Choices) and isinstance(truth, Choices):
        return answer.labels == truth.labels or set(answer.labels) == set(truth.labels)
    if isinstance(answer, Regions) and isinstance(truth, Regions):
        return len(answer.regions) == len(truth.regions) == len(pairs(answer, truth))
    return False


def agreement(answer: Answer, truth: Answer) -> float:
    """Return the agreement with the truth in [0, 1]: the F1 score of boxes, else 1 or 0."""
    if isinstance(answer, Regions) and isinstance(truth, Regions):
        boxes = len(answer.regions) + len(truth.regions)
        return 2 * len(pairs(answer, truth)) / boxes if boxes else 1.0
    return float(is_right(answer, truth))


def pairs(answer: Regions, truth: Regions) -> list[tuple[Region, Region]]:
    """Pair boxes of the same label and object, best overlap first, each used once."""
    candidates = sorted(
        (
            (iou(found.box, true.box), i, j)
            for i, found in enumerate(answer.regions)
            for j, true in enumerate(truth.regions)
            if found.label == true.label
        ),
        key=lambda candidate: -candidate[0],
    )
    left, right_, matched = set[int](), set[int](), list[tuple[Region, Region]]()
    for overlap, i, j in candidates:
        if overlap >= SAME_BOX and i not in left and j not in right_:
            left.add(i)
            right_.add(j)
            matched.append((answer.regions[i], truth.regions[j]))
    return matched
