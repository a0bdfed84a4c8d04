"""Parse the results of one annotation or prediction into answers.

Each control gets an answer, or the reason why it has none. Results that cannot be placed leave
their control unanswered: they never mean that nothing is in the image. Only an annotation that was
submitted empty says that, of every control that its author could have used.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from backend.domain.answers import Answer, Choices, Gap, Region, Regions, Unanswered
from backend.domain.geometry import NOWHERE, clipped, from_percent, is_cut
from backend.domain.ids import ControlName, Label
from backend.domain.json import Json
from backend.domain.schema import Control, ControlTag, LabelSchema, TaskKind

SHAPES = {"rectanglelabels", "rectangle", "labels"}
"""Types of results that may be rectangles."""

_FIELDS_READ = (
    "from_name",
    "to_name",
    "item_index",
    "type",
    "value",
    "original_width",
    "original_height",
)
"""All that a result is read by if it is alone; beside others its id counts, too."""

_OBJECTS = (dict, Mapping)
"""Types of JSON objects. Nearly all are a dict, which is told in a quarter of the time."""

_OF_REGION = {"x", "points", "rle", "vertices"}
"""Keys in the value of an answer about one region (`perRegion`): its place."""


@dataclass(frozen=True, slots=True)
class ReadAnnotation:
    """What one annotation says; each control is in `answers` or in `unanswered`.

    `repairs` counts, by kind, the results that had to be corrected.
    """

    answers: Mapping[ControlName, Answer]
    unanswered: Mapping[ControlName, Unanswered]
    repairs: Counter[str] = field(default_factory=Counter[str])


def read(results: Sequence[Json], schema: LabelSchema, *, looked: bool = False) -> ReadAnnotation:
    """Read the results of one annotation.

    `looked` says that its author was asked for everything, so that it has no rectangle where there
    is nothing, whatever else it answers.
    """
    repairs, names = Counter[str](), schema.names
    strange = [one for one in results if one.get("from_name") not in names]
    found = {
        control.name: _seen(_answer(control, results, strange, schema, repairs), looked)
        for control in schema.controls
    }
    given = {name: one for name, one in found.items() if not isinstance(one, Unanswered)}
    shown = schema.shown(given)
    answers = {name: one for name, one in given.items() if name in shown}
    unanswered = {
        name: one if isinstance(one, Unanswered) and name in shown else _hidden(one)
        for name, one in found.items()
        if name not in answers
    }
    return ReadAnnotation(answers, unanswered, +repairs)


class ResultReader:
    """Reads the annotations of a project; equal choices, which most of them are, only once."""

    def __init__(self, schema: LabelSchema) -> None:
        self.schema = schema
        self._known: dict[str, ReadAnnotation] = {}

    def __call__(self, results: Sequence[Json]) -> ReadAnnotation:
        """Read the results of one annotation as `read` does; what it returns may be shared."""
        if len(results) != 1 or "choices" not in value_of(results[0]):
            return read(results, self.schema)
        said = str([results[0].get(key) for key in _FIELDS_READ])
        if said not in self._known:
            self._known[said] = read(results, self.schema)
        return self._known[said]


def labels_of(result: Json, schema: LabelSchema) -> frozenset[Label]:
    """Return the labels of a single result, wherever it is drawn and whether its question shows."""
    name = result.get("from_name")
    for control in schema.controls:
        for tag in control.own_tags:
            if tag.name == name and control.is_drawn:
                return frozenset(label for _, label in _known(tag, result) if label is not None)
            if tag.name == name:
                answer = _choices(control, [result])
                return frozenset(answer.labels if isinstance(answer, Choices) else ())
    return frozenset()


def _seen(answer: Answer | Unanswered, looked: bool) -> Answer | Unanswered:
    is_nothing = isinstance(answer, Unanswered) and answer.gap is Gap.OTHER_QUESTIONS
    return Regions(()) if looked and is_nothing else answer


def _hidden(answer: Answer | Unanswered) -> Unanswered:
    """Return why a hidden control has no answer."""
    if isinstance(answer, Unanswered):
        return Unanswered(Gap.NOT_ASKED) if answer.gap is Gap.OTHER_QUESTIONS else answer
    return Unanswered(Gap.HIDDEN_ANSWERS if answer.labels else Gap.NOT_ASKED)


def _answer(
    control: Control,
    results: Sequence[Json],
    strange: Sequence[Json],
    schema: LabelSchema,
    repairs: Counter[str],
) -> Answer | Unanswered:
    """Read one control; `strange` results name no control of the labeling config."""
    own_names = {name for tag in control.own_tags for name in (tag.name, *tag.geometry)}
    own = [one for one in results if one.get("from_name") in own_names]
    if any(_is_elsewhere(control, one) for one in own):
        return Unanswered(Gap.OTHER_IMAGE)
    lost = [one for one in strange if _could_be(control, one)]
    if lost and (control.is_drawn or not own):
        names = dict.fromkeys(str(one.get("from_name") or "") for one in lost)
        return Unanswered(Gap.UNKNOWN_CONTROL, tuple(names))
    answer = _regions(control, own, repairs) if control.is_drawn else _choices(control, own)
    if isinstance(answer, Unanswered) or answer.labels:
        return answer
    return _empty(control, answer, results, schema)


def _is_elsewhere(control: Control, result: Json) -> bool:
    return bool(result.get("item_index")) or result.get("to_name", control.image) != control.image


def _could_be(control: Control, result: Json) -> bool:
    kind = str(result.get("type") or "").lower()
    return kind in SHAPES if control.is_drawn else kind == "choices"


def _empty(
    control: Control, answer: Answer, results: Sequence[Json], schema: LabelSchema
) -> Answer | Unanswered:
    """Return the answer that a control without results stands for.

    Whoever submits an annotation has seen every choice that shows, so none of them is an answer.
    Rectangles are often drawn in another pass than questions are answered: without any, an
    annotation says that there is nothing only if it is empty, or answers no more than it must.
    """
    if control.required or control.kind is TaskKind.SINGLE:
        return Unanswered(Gap.NOT_ASKED)
    obliged = {one.name for one in schema.controls if one.required}
    others = {str(one.get("from_name") or "") for one in results} - obliged
    if control.is_drawn and others:
        return Unanswered(Gap.OTHER_QUESTIONS, tuple(sorted(others)))
    return answer


def _choices(control: Control, results: Sequence[Json]) -> Choices | Unanswered:
    (tag,) = control.own_tags
    by_path = {path: label for label, path in tag.stored.items()}
    if any(_OF_REGION & value_of(one).keys() for one in results):
        return Unanswered(Gap.OTHER_SHAPE)
    paths = [path for one in results for path in _paths(value_of(one))]
    inner = [path for path in paths if path in by_path or not _is_around(path, paths)]
    unknown = [path for path in inner if path not in by_path]
    if unknown:
        return Unanswered(Gap.UNKNOWN_LABEL, tuple(dict.fromkeys(map(" > ".join, unknown))))
    if results and not inner:
        return Unanswered(Gap.NO_LABEL)
    chosen = {by_path[path] for path in inner}
    labels = tuple(label for label in control.labels if label in chosen)
    if control.kind is TaskKind.SINGLE and len(labels) > 1:
        return Unanswered(Gap.SEVERAL_LABELS, (" + ".join(labels),))
    return Choices(labels)


def _is_around(path: tuple[str, ...], paths: Iterable[tuple[str, ...]]) -> bool:
    """Return whether the editor marked this choice because of those inside it."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _paths(value: Json) -> list[tuple[str, ...]]:
    """Return the chosen paths; a choice that is not nested is a path of one."""
    found = value.get("choices")
    items = cast(Sequence[object], found) if isinstance(found, list) else ()
    paths = [cast(list[object], one) if isinstance(one, list) else [one] for one in items]
    return [tuple(map(str, path)) for path in paths if path and all(_is_name(one) for one in path)]


def _is_name(item: object) -> bool:
    return isinstance(item, str) and bool(item)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The regions of one control, while they are read; sets that keep their order."""

    regions: dict[Region, None] = field(default_factory=dict[Region, None])
    unknown: dict[str, None] = field(default_factory=dict[str, None])
    gaps: set[Gap] = field(default_factory=set[Gap])


def _regions(
    control: Control, results: Sequence[Json], repairs: Counter[str]
) -> Regions | Unanswered:
    drawn = _Drawn()
    any_shape = any(tag.geometry for tag in control.own_tags)
    for result, labels in _rectangles(control, results):
        if any_shape and "height" not in value_of(result):  # an ellipse or polygon, for instance
            drawn.gaps.add(Gap.OTHER_SHAPE)
        else:
            _add(drawn, result, labels, repairs)
    if drawn.unknown:
        return Unanswered(Gap.UNKNOWN_LABEL, tuple(drawn.unknown))
    if Gap.OTHER_SHAPE in drawn.gaps:
        return Unanswered(Gap.OTHER_SHAPE)
    if Gap.NO_LABEL in drawn.gaps:
        return Unanswered(Gap.NO_LABEL)
    if drawn.gaps and not drawn.regions:
        return Unanswered(Gap.NO_AREA)
    return Regions(tuple(drawn.regions))


Labels = list[tuple[str, Label | None]]
"""Labels of a rectangle as they are stored, and as the config knows them."""


def _rectangles(control: Control, results: Sequence[Json]) -> Iterable[tuple[Json, Labels]]:
    """Yield the rectangles of a control, each with its labels.

    A `Rectangle` and its `Labels` are two results of one id; both hold its place.
    """
    tags = {tag.name: tag for tag in control.own_tags}
    shapes = {name for tag in control.own_tags for name in tag.geometry}
    places, labels = dict[str, Json](), dict[str, Labels]()
    for number, one in enumerate(results):
        name = str(one.get("from_name"))
        region = str(one.get("id")) if shapes and one.get("id") else f"{number}"
        places.setdefault(region, one)
        labels.setdefault(region, [])
        if name in tags:
            labels[region] += _known(tags[ControlName(name)], one)
    for region, one in places.items():
        yield one, labels[region]


def _known(tag: ControlTag, result: Json) -> Labels:
    key = "labels" if tag.geometry else "rectanglelabels"
    known = {stored: label for label, (stored,) in tag.stored.items()}
    return [(name, known.get(name)) for name in _names(value_of(result), key)]


def _add(drawn: _Drawn, result: Json, labels: Labels, repairs: Counter[str]) -> None:
    value = value_of(result)
    rotation = _number(value, "rotation")
    aspect = _number(result, "original_width", 1) / _number(result, "original_height", 1)
    numbers = [_number(value, key) for key in ("x", "y", "width", "height")]
    is_sound = aspect != 0 and all(map(math.isfinite, (rotation, aspect, *numbers)))
    corners = from_percent(*numbers, rotation=rotation, aspect=aspect) if is_sound else NOWHERE
    box = clipped(*corners)
    repairs["rotated"] += rotation % 360 != 0
    if box is None:
        repairs["degenerate"] += 1
        drawn.gaps.add(Gap.NO_AREA)
        return
    repairs["clipped"] += is_cut(box, corners)
    if not labels:
        drawn.gaps.add(Gap.NO_LABEL)
    drawn.unknown.update((name, None) for name, label in labels if label is None)
    for region in (Region(box, label) for _, label in labels if label is not None):
        repairs["duplicate"] += region in drawn.regions
        drawn.regions[region] = None


def items(body: Json, key: str) -> Sequence[Json]:
    """Return the objects of a list, leaving out whatever else it holds."""
    found = body.get(key)
    listed = cast(Sequence[object], found) if isinstance(found, list | tuple) else ()
    return [cast(Json, item) for item in listed if isinstance(item, _OBJECTS)]


def value_of(result: Json) -> Json:
    """Return the value of a result, empty if it has none."""
    found = result.get("value")
    return cast(Json, found) if isinstance(found, _OBJECTS) else {}


def _names(value: Json, key: str) -> Sequence[str]:
    found = value.get(key)
    listed = cast(Sequence[object], found) if isinstance(found, list) else ()
    return [label for label in listed if isinstance(label, str) and label]


def _number(body: Json, key: str, absent: float = 0) -> float:
    """Return a number, `absent` if it is missing or 0, NaN if it is not a number."""
    try:
        return float(body.get(key) or absent)
    except (TypeError, ValueError, OverflowError):
        return math.nan
