"""Rectangles with several labels: each set of labels that people put on one box is a class.

Detectors give a place in the image to one class, so the same box once for each of its labels is a
contradiction to them. Networks therefore learn sets as further classes after the control's
labels, and what they find is read as one region a label again: thresholds, figures and answers
know labels only.
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
"""Between the labels in a class's name; no XML, so no label, can hold it."""

MOST = 50
"""Sets that are learned, the most frequent ones; a box with a rarer set stays one box a label."""

_SAME_PLACE = 0.5
"""IoU from which two boxes may be about the same object."""


def classes(labels: Sequence[Label], answers: Sequence[Answer]) -> tuple[Label, ...]:
    """The labels, then the sets of them on the boxes of these answers, in the labels' order."""
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


def merged(training_set: TrainingSet, classes: tuple[Label, ...]) -> TrainingSet:
    """The lesson as a network learns it: the control's labels are classes, a box has one."""
    if classes == training_set.control.labels:
        return training_set
    return replace(
        training_set,
        control=replace(training_set.control, labels=classes),
        train_answers=[_merged(answer, classes) for answer in training_set.train_answers],
        held_out_answers=[_merged(answer, classes) for answer in training_set.held_out_answers],
    )


def expanded(found: Regions) -> Regions:
    """Regions by class, best first, as regions by label; a set gives equal boxes.

    Where classes that share a label claim one place, as a set and one of its labels do, only the
    best of them stays: it would be the same label twice on one object.
    """
    if not any(_AND in region.label for region in found.regions):
        return found
    kept = _without_rivals(found.regions)
    return Regions(
        tuple(replace(region, label=label) for region in kept for label in _labels(region.label))
    )


def _without_rivals(found: Sequence[Region]) -> list[Region]:
    overlap = overlaps(found, found) >= _SAME_PLACE
    sets = [frozenset(_labels(region.label)) for region in found]
    kept: list[int] = []
    for at, own in enumerate(sets):
        if not any(overlap[at, one] and sets[one] != own and sets[one] & own for one in kept):
            kept.append(at)
    return [found[at] for at in kept]


def _merged(answer: Answer, classes: Sequence[Label]) -> Answer:
    if not isinstance(answer, Regions):
        return answer
    names = _names(answer, classes)
    regions: dict[Region, None] = {}
    for region in answer.regions:
        name = names[region.box]
        regions[replace(region, label=name) if name in classes else region] = None
    return Regions(tuple(regions))


def _names(answer: Regions, labels: Sequence[Label]) -> Mapping[Box, Label]:
    """The class of each box, by the labels that it has."""
    found: dict[Box, set[Label]] = {}
    for region in answer.regions:
        found.setdefault(region.box, set()).add(region.label)
    return {
        box: Label(_AND.join(label for label in labels if label in own))
        for box, own in found.items()
    }


def _labels(name: Label) -> list[Label]:
    return [Label(label) for label in name.split(_AND)]
