"""Change the labels in the result of an annotation, a draft or a prediction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from backend.domain.ids import Label
from backend.domain.json import Json, JsonObject
from backend.domain.label_edits import DELETED, LabelEdit


def labels_of(result: object) -> Iterator[Label]:
    """Yield the labels in a result, of all kinds of controls; anything else has none."""
    for part in _parts(result):
        yield from _labels(part)


def uses(result: object, edit: LabelEdit) -> bool:
    """Whether a result has a label that the edit changes."""
    return not edit.mapping.keys().isdisjoint(labels_of(result))


def edited(result: Sequence[Json], edit: LabelEdit) -> list[JsonObject]:
    """Return the result with the labels changed.

    A region or choice without a label left is dropped, with all that refers to that region.
    """
    kept, dropped = list[JsonObject](), set[object]()
    for part in result:
        changed = _part(part, edit.mapping)
        if changed is not None:
            kept.append(changed)
        elif part.get("type") not in {"choices", "labels"}:
            dropped.add(part.get("id"))
    return [part for part in kept if dropped.isdisjoint(_refers_to(part))]


def _part(part: Json, mapping: Mapping[Label, Label]) -> JsonObject | None:
    """Return one part of a result with its labels changed, None if it has none left."""
    labels = list(_labels(part))
    if mapping.keys().isdisjoint(labels):
        return dict(part)
    new = dict.fromkeys(mapping.get(label, label) for label in labels)
    left = [label for label in new if label != DELETED]
    if not left:
        return None
    return {**part, "value": {**part["value"], str(part["type"]): left}}


def _refers_to(part: Json) -> Iterable[object]:
    """Return the ids of the regions that a part belongs to or connects."""
    ids = (part.get(key) for key in ("id", "from_id", "to_id", "parentID"))
    return [one for one in ids if one is not None]


def _parts(result: object) -> Iterator[Json]:
    items = cast("list[Any]", result) if isinstance(result, list | tuple) else []
    return (cast("Json", item) for item in items if isinstance(item, Mapping))


def _labels(part: Json) -> Iterator[Label]:
    """Yield the labels of a part: they stand in its value under the name of its type."""
    value: object = part.get("value")
    if not isinstance(value, Mapping):
        return
    found: object = cast("Json", value).get(str(part.get("type")))
    for label in cast("list[object]", found) if isinstance(found, list) else ():
        if isinstance(label, str):
            yield Label(label)
