"""Rectangles with several labels: each set of labels on one box becomes a class.

Label powerset (Tsoumakas & Katakis 2007). Detectors assign one class to a place in the image, so
training on the same box once for each of its labels would contradict itself. Networks therefore
learn the sets as additional classes after the control's labels. Their detections are decoded to
one region per label, so thresholds, metrics and answers deal with labels only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from backend.domain.answers import Answer, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.models.detection.overlaps import overlaps
from backend.ports.model_family import TrainingSet

_AND = "\x1f"
"""Separates the labels in the name of a class; not allowed in XML, and so in no label."""

MOST = 50
"""Sets that become classes, most frequent first; a box with a rarer set is one box per label."""

_SAME_PLACE = 0.5
"""IoU from which two boxes may be about the same object."""


def classes(labels: Sequence[Label], answers: Sequence[Answer]) -> tuple[Label, ...]:
    """List the labels, then the sets of labels on the boxes of these answers, in label order."""
    counts = Counter(
        name
        for answer in answers
        if isinstance(answer, Regions)
        for name in _names(answer, labels).values()
        if _AND in name
    )
    sets = [name for name, _ in counts.most_common(MOST)]
    order = {label: at for at, label in enumerate(labels)}
    return (*labels, *sorted(sets, key=lambda name: [order[label] for label in _labels(name)]))


def renamed(classes: Sequence[Label], labels: Mapping[Label, Label]) -> tuple[Label, ...]:
    """Return the classes with the labels of now, also in sets."""
    return tuple(
        Label(_AND.join(labels.get(one, one) for one in _labels(name))) for name in classes
    )


def encode(training_set: TrainingSet, classes: tuple[Label, ...]) -> TrainingSet:
    """Replace labels by classes: the control lists the classes, and each box has one."""
    if classes == training_set.control.labels:
        return training_set
    return replace(
        training_set,
        control=replace(training_set.control, labels=classes),
        train_answers=[_encoded(answer, classes) for answer in training_set.train_answers],
        held_out_answers=[_encoded(answer, classes) for answer in training_set.held_out_answers],
    )


def decode(detections: Regions) -> Regions:
    """Replace classes by labels; a set becomes one region per label, all with the same box.

    Where classes that share a label overlap, as a set and one of its labels may, only the first is
    kept: the others would put the same label on one object twice.

    Args:
        detections: regions by class, best score first.
    """
    if not any(_AND in region.label for region in detections.regions):
        return detections
    kept = _without_duplicates(detections.regions)
    return Regions(
        tuple(replace(region, label=label) for region in kept for label in _labels(region.label))
    )


def _without_duplicates(detections: Sequence[Region]) -> list[Region]:
    overlap = overlaps(detections, detections) >= _SAME_PLACE
    sets = [frozenset(_labels(region.label)) for region in detections]
    kept: list[int] = []
    for at, own in enumerate(sets):
        if not any(overlap[at, one] and sets[one] != own and sets[one] & own for one in kept):
            kept.append(at)
    return [detections[at] for at in kept]


def _encoded(answer: Answer, classes: Sequence[Label]) -> Answer:
    if not isinstance(answer, Regions):
        return answer
    names = _names(answer, classes)
    regions: dict[Region, None] = {}
    for region in answer.regions:
        name = names[region.box]
        regions[replace(region, label=name) if name in classes else region] = None
    return Regions(tuple(regions))


def _names(answer: Regions, labels: Sequence[Label]) -> Mapping[Box, Label]:
    """Name the class of each box by the labels that it has."""
    sets: dict[Box, set[Label]] = {}
    for region in answer.regions:
        sets.setdefault(region.box, set()).add(region.label)
    return {
        box: Label(_AND.join(label for label in labels if label in own))
        for box, own in sets.items()
    }


def _labels(name: Label) -> list[Label]:
    return [Label(label) for label in name.split(_AND)]
