"""Human boxes that look wrong: missed, misplaced, or of another label.

The three kinds of ObjectLab (Tkachenko, Thyagarajan & Mueller 2023, arXiv 2309.00832), by plain
thresholds on a model that did not see the image.
"""

from collections.abc import Iterable, Sequence

from backend.domain import Answer, Region, Regions, TaskId
from backend.geometry import iou
from backend.policies.correctness import SAME_BOX
from backend.policies.label_errors import Suspect

SURE, LIKELY = 0.9, 0.5
"""Scores from which a found box speaks against a person's, and against its place only."""

TOUCHING = 0.1
"""Below this intersection over union, two boxes have nothing to do with each other."""


def doubted_boxes(
    tasks: Sequence[TaskId], truths: Sequence[Answer], found: Sequence[Answer]
) -> tuple[Suspect, ...]:
    """Tasks whose boxes the model strongly doubts, most doubtful first, one entry a task."""
    suspects = list[Suspect]()
    for task, truth, answer in zip(tasks, truths, found, strict=True):
        if isinstance(truth, Regions) and isinstance(answer, Regions):
            doubts = sorted(_doubts(truth, answer), reverse=True)
            if doubts:
                words = "; ".join(words for _, words in doubts[:3])
                suspects.append(Suspect(task, doubts[0][0], words))
    return tuple(sorted(suspects, key=lambda suspect: -suspect.doubt))


def _doubts(truth: Regions, answer: Regions) -> Iterable[tuple[float, str]]:
    for region in answer.regions:
        score = region.score or 0.0
        nearest = max(truth.regions, key=lambda drawn: iou(drawn.box, region.box), default=None)
        overlap = iou(nearest.box, region.box) if nearest else 0.0
        doubt = _doubt(region, score, nearest, overlap)
        if doubt and not _agrees(region, truth):
            yield score, f"{doubt} ({score:.2f})"


def _doubt(region: Region, score: float, nearest: Region | None, overlap: float) -> str:
    """What a found box says against the drawn one nearest to it, if anything."""
    if nearest is None or overlap < TOUCHING:
        return f"a '{region.label}' seems to be missed" if score >= SURE else ""
    if nearest.label == region.label:
        return f"a '{region.label}' seems misplaced" if score >= LIKELY else ""
    if overlap >= SAME_BOX and score >= SURE:
        return f"a '{nearest.label}' looks like '{region.label}'"
    return ""


def _agrees(region: Region, truth: Regions) -> bool:
    """Whether a person drew the same box with the same label."""
    return any(
        drawn.label == region.label and iou(drawn.box, region.box) >= SAME_BOX
        for drawn in truth.regions
    )
