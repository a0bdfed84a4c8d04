"""Find human boxes that look wrong: missed, misplaced, or of another label.

The three kinds of ObjectLab (Tkachenko, Thyagarajan & Mueller 2023, arXiv 2309.00832), by
thresholds on the predictions of a model that did not see the image.
"""

from collections.abc import Iterable, Sequence

from backend.domain.answers import Answer, Region, Regions
from backend.domain.geometry import iou
from backend.domain.ids import TaskId
from backend.policies.certification.correctness import SAME_BOX, pairs
from backend.policies.label_issues import LabelIssue

SURE, LIKELY = 0.9, 0.5
"""Least confidence of a predicted box against a human box's label or absence, and its place."""

TOUCHING = 0.1
"""Boxes with a smaller intersection over union are unrelated."""

SHOWN = 3
"""Issues of one task that its reason lists."""


def find_box_label_issues(
    tasks: Sequence[TaskId], truths: Sequence[Answer], predictions: Sequence[Answer]
) -> tuple[LabelIssue, ...]:
    """Return the tasks whose human boxes look wrong, most severe first, one issue for each task."""
    issues = list[LabelIssue]()
    for task, truth, prediction in zip(tasks, truths, predictions, strict=True):
        if isinstance(truth, Regions) and isinstance(prediction, Regions):
            found = sorted(_issues(truth, prediction), reverse=True)
            if found:
                reason = "; ".join(reason for _, reason in found[:SHOWN])
                issues.append(LabelIssue(task, found[0][0], reason))
    return tuple(sorted(issues, key=lambda issue: -issue.severity))


def _issues(truth: Regions, prediction: Regions) -> Iterable[tuple[float, str]]:
    """Yield the confidence of each contradicting box, and what it contradicts."""
    confirmed = [human for _, human in pairs(prediction, truth)]
    unconfirmed = [human for human in truth.regions if human not in confirmed]
    for region in prediction.regions:
        score = region.score or 0.0
        issue = _issue(region, score, truth.regions, unconfirmed)
        if issue and not _agrees(region, truth):
            yield score, f"{issue} ({score:.2f})"


def _issue(
    region: Region, score: float, human: Sequence[Region], unconfirmed: Sequence[Region]
) -> str:
    """Return what a predicted box says about the nearest human box; empty if nothing.

    Boxes that another prediction confirms are left out: the two objects may be neighbours.
    """
    nearest, overlap = _nearest(region, human)
    if nearest is None or overlap < TOUCHING:
        return f"a '{region.label}' seems to be missed" if score >= SURE else ""
    nearest, overlap = _nearest(region, unconfirmed)
    if nearest is None or overlap < TOUCHING:
        return ""
    if nearest.label == region.label:
        return f"a '{region.label}' seems misplaced" if score >= LIKELY else ""
    if overlap >= SAME_BOX and score >= SURE:
        return f"a '{nearest.label}' looks like '{region.label}'"
    return ""


def _nearest(region: Region, boxes: Sequence[Region]) -> tuple[Region | None, float]:
    best = max(boxes, key=lambda other: iou(other.box, region.box), default=None)
    return best, iou(best.box, region.box) if best else 0.0


def _agrees(region: Region, truth: Regions) -> bool:
    """Return whether a human box with the same label is at the same place."""
    return any(
        human.label == region.label and iou(human.box, region.box) >= SAME_BOX
        for human in truth.regions
    )
