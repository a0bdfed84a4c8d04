"""Find human boxes that look wrong: missed, misplaced, or of another label.

The three kinds of ObjectLab (Tkachenko, Thyagarajan & Mueller 2023, arXiv 2309.00832). Each box
that a model predicts for an image that it did not see asks a yes-or-no question: did people draw
it, too? Where they did not, either of the two is wrong. `label_noise` estimates how often it is
the people, from all answers together, and with what chance here; the list ends where a second look
stops paying.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer, Region, Regions
from backend.domain.geometry import iou
from backend.domain.ids import TaskId
from backend.policies import label_noise
from backend.policies.certification.correctness import SAME_BOX, pairs
from backend.policies.label_issues import WORTH_A_LOOK, LabelIssue

CALIBRATED = (1.0,)
"""The scores of boxes are calibrated on people's boxes, so their slope is known. Left free, it
explains the noise away: nothing is listed."""

TOUCHING = 0.1
"""Boxes with a smaller intersection over union are unrelated."""

SHOWN = 3
"""Issues of one task that its reason lists."""


@dataclass(frozen=True, slots=True)
class BoxIssue:
    """A box that a model predicts and people did not draw.

    `severity` is the chance that people are wrong; `reason` says how.
    """

    task: TaskId
    predicted: Region
    severity: float
    reason: str


def find_box_label_issues(
    tasks: Sequence[TaskId], truths: Sequence[Answer], predictions: Sequence[Answer]
) -> tuple[LabelIssue, ...]:
    """Return the tasks whose human boxes look wrong, most severe first, one issue for each task."""
    by_task = dict[TaskId, list[BoxIssue]]()
    for issue in find_box_issues(tasks, truths, predictions):
        by_task.setdefault(issue.task, []).append(issue)
    return tuple(
        LabelIssue(task, found[0].severity, "; ".join(one.reason for one in found[:SHOWN]))
        for task, found in by_task.items()
    )


def find_box_issues(
    tasks: Sequence[TaskId], truths: Sequence[Answer], predictions: Sequence[Answer]
) -> tuple[BoxIssue, ...]:
    """Return the boxes that look wrong, most severe first.

    Args:
        tasks: n.
        truths: n human answers.
        predictions: n answers of models that did not see the image; the score of a box is the
            calibrated probability that it is right.
    """
    asked = [
        (task, *one)
        for task, truth, prediction in zip(tasks, truths, predictions, strict=True)
        if isinstance(truth, Regions) and isinstance(prediction, Regions)
        for one in _compared(truth, prediction)
    ]
    if not asked:
        return ()
    scores = np.array([[region.score or 0.0] for _, region, _ in asked])
    drawn = np.array([[not reason] for _, _, reason in asked])
    chances = label_noise.independent(scores, drawn, CALIBRATED)[:, 0]
    issues = [
        BoxIssue(task, region, float(chance), f"{reason} ({region.score or 0.0:.2f})")
        for (task, region, reason), chance in zip(asked, chances, strict=True)
        if reason and chance >= WORTH_A_LOOK
    ]
    return tuple(sorted(issues, key=lambda issue: -issue.severity))


def _compared(truth: Regions, prediction: Regions) -> Iterator[tuple[Region, str]]:
    """Yield each predicted box, and what it says about people's boxes; empty if it agrees.

    A box beside one that another prediction confirms is left out: it may be a second prediction of
    the same object, or a neighbor of it.
    """
    matched = pairs(prediction, truth)
    confirmed = [human for _, human in matched]
    unconfirmed = [human for human in truth.regions if human not in confirmed]
    for region in prediction.regions:
        if any(region is found for found, _ in matched):
            yield region, ""
        elif reason := _issue(region, truth.regions, unconfirmed):
            yield region, reason


def _issue(region: Region, human: Sequence[Region], unconfirmed: Sequence[Region]) -> str:
    """Return what a predicted box says about the nearest human box; empty if nothing."""
    if not _touching(region, human):
        return f"a '{region.label}' seems to be missed"
    nearest = max(unconfirmed, key=lambda other: iou(other.box, region.box), default=None)
    if nearest is None or iou(nearest.box, region.box) < TOUCHING:
        return ""
    if nearest.label == region.label:
        return f"a '{region.label}' seems misplaced"
    return f"a '{nearest.label}' looks like '{region.label}'" if _same(nearest, region) else ""


def _touching(region: Region, boxes: Iterable[Region]) -> bool:
    return any(iou(other.box, region.box) >= TOUCHING for other in boxes)


def _same(one: Region, other: Region) -> bool:
    return iou(one.box, other.box) >= SAME_BOX
