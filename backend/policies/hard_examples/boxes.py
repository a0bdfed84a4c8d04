"""Criteria: boxes unlike the annotated ones (ModelArts' reasons 0 and 11 to 18)."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.arrays import Floats
from backend.domain.geometry import Box, intersection
from backend.domain.schema import TaskKind
from backend.policies.hard_examples.evidence import Evidence, HardReason
from backend.policies.hard_examples.image_statistics import unusual

AT_EDGE = 0.005
"""A box this close to the image border, as a fraction of the image, touches it."""

Boxes = Sequence[Box]


def nothing_found(evidence: Evidence) -> Iterable[HardReason]:
    """Report images without a predicted box (0), as strongly as labeled images tend to have one."""
    if evidence.control.kind is TaskKind.DETECTION:
        with_boxes = np.mean([bool(_boxes(answer)) for answer in evidence.labeled_answers] or [0.0])
        empty = [not _boxes(answer) for answer in evidence.predictions.answers]
        yield HardReason(0, np.array(empty) * with_boxes, lambda _: "nothing found")


def unusual_boxes(evidence: Evidence) -> Iterable[HardReason]:
    """Compare each statistic of an image's boxes with its spread over the labeled images."""
    if evidence.control.kind is not TaskKind.DETECTION:
        return
    for number, statistic, floor, low, high in BOX_TABLE:
        values = _over(statistic, evidence.predictions.answers)
        known = _over(statistic, evidence.labeled_answers)
        yield unusual(number, values, known, floor, (low, high))
    if evidence.crops is not None and evidence.labeled_crops is not None:
        for column, (number, floor, low, high) in enumerate(CROP_TABLE):
            values, known = evidence.crops[:, column], evidence.labeled_crops[:, column]
            yield unusual(number, values, known, floor, (low, high))


def _boxes(answer: Answer) -> Boxes:
    return [region.box for region in answer.regions] if isinstance(answer, Regions) else []


def _over(statistic: Callable[[Boxes], float], answers: Sequence[Answer]) -> Floats:
    """Return (n,) the statistic of each image's boxes, NaN for images without boxes."""
    values = [(statistic(boxes) if (boxes := _boxes(answer)) else np.nan) for answer in answers]
    return np.array(values, dtype=np.float64)


def _count(boxes: Boxes) -> float:
    return float(np.sqrt(len(boxes)))


def _area_spread(boxes: Boxes) -> float:
    return float(np.std([box.area for box in boxes]))


def _size(boxes: Boxes) -> float:
    return float(np.mean([np.log(box.area) for box in boxes]))


def _aspect(boxes: Boxes) -> float:
    return float(np.mean([np.log(box.width / box.height) for box in boxes]))


def _edge_contact(boxes: Boxes) -> float:
    touching = [min(box.left, box.top, 1 - box.right, 1 - box.bottom) < AT_EDGE for box in boxes]
    return float(np.mean(touching))


def _overlap(boxes: Boxes) -> float:
    """Return the largest share of a box that another box covers."""
    return max(
        (
            intersection(box, other) / box.area
            for box in boxes
            for other in boxes
            if box is not other
        ),
        default=0.0,
    )


BOX_TABLE: tuple[tuple[int, Callable[[Boxes], float], float, str, str], ...] = (
    (11, _count, 0.3, "fewer boxes", "more boxes"),
    (12, _area_spread, 0.02, "boxes more alike in size", "boxes less alike in size"),
    (13, _aspect, 0.15, "taller boxes", "wider boxes"),
    (14, _size, 0.25, "smaller boxes", "larger boxes"),
    (15, _edge_contact, 0.1, "fewer boxes at the edge", "more boxes at the edge"),
    (18, _overlap, 0.1, "boxes overlap less", "boxes overlap more"),
)
"""Number, statistic of an image's boxes, least spread, words when low and when high."""

CROP_TABLE = (
    (16, 0.05, "darker boxes", "brighter boxes"),
    (17, 0.3, "more blurred boxes", "sharper boxes"),
)
"""Number, least spread, words when low and when high, for the columns of `Evidence.crops`."""
