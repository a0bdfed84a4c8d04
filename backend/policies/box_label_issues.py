"""Human boxes that look wrong: missed, misplaced, or of another label.

The three kinds of ObjectLab (Tkachenko, Thyagarajan & Mueller 2023, arXiv 2309.00832), by plain
thresholds on a model that did not see the image.
"""

from collections.abc import Iterable, Sequence

from backend.domain.answers import Answer, Region, Regions
from backend.domain.geometry import iou
from backend.domain.ids import TaskId
from backend.policies.certification.correctness import SAME_BOX, pairs
from backend.policies.label_issues import LabelIssue

SURE, LIKELY = 0.9, 0.5
"""Chances from which a found box speaks against a person's, and against its place only."""

TOUCHING = 0.1
"""Below this intersection over union, two boxes have nothing to do with each other."""


def doubted_boxes(
    tasks: Sequence[TaskId], truths: Sequence[Answer], found: Sequence[Answer]
) -> tuple[LabelIssue, ...]:
    """Tasks whose boxes the model strongly doubts, most doubtful first, one entry a task."""
    issues = list[LabelIssue]()
    for task, truth, answer in zip(tasks, truths, found, strict=True):
        if isinstance(truth, Regions) and isinstance(answer, Regions):
            doubts = sorted(_doubts(truth, answer), reverse=True)
            if doubts:
                words = "; ".join(words for _, words in doubts[:3])
                issues.append(LabelIssue(task, doubts[0][0], words))
    return tuple(sorted(issues, key=lambda issue: -issue.doubt))


def _doubts(truth: Regions, answer: Regions) -> Iterable[tuple[float, str]]:
    confirmed = [drawn for _, drawn in pairs(answer, truth)]
    open_to_doubt = [drawn for drawn in truth.regions if drawn not in confirmed]
    for region in answer.regions:
        score = region.score or 0.0
        doubt = _doubt(region, score, truth.regions, open_to_doubt)
        if doubt and not _agrees(region, truth):
            yield score, f"{doubt} ({score:.2f})"


def _doubt(
    region: Region, score: float, drawn: Sequence[Region], open_to_doubt: Sequence[Region]
) -> str:
    """What a found box says against the drawn one nearest to it, if anything.

    It says nothing against one that another found box confirms, whose neighbor it may be.
    """
    nearest, overlap = _nearest(region, drawn)
    if nearest is None or overlap < TOUCHING:
        return f"a '{region.label}' seems to be missed" if score >= SURE else ""
    nearest, overlap = _nearest(region, open_to_doubt)
    if nearest is None or overlap < TOUCHING:
        return ""
    if nearest.label == region.label:
        return f"a '{region.label}' seems misplaced" if score >= LIKELY else ""
    if overlap >= SAME_BOX and score >= SURE:
        return f"a '{nearest.label}' looks like '{region.label}'"
    return ""


def _nearest(region: Region, drawn: Sequence[Region]) -> tuple[Region | None, float]:
    best = max(drawn, key=lambda other: iou(other.box, region.box), default=None)
    return best, iou(best.box, region.box) if best else 0.0


def _agrees(region: Region, truth: Regions) -> bool:
    """Whether a person drew the same box with the same label."""
    return any(
        drawn.label == region.label and iou(drawn.box, region.box) >= SAME_BOX
        for drawn in truth.regions
    )
