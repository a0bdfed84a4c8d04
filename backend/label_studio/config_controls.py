"""Build a control from its tag and the options below it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, ControlTag, TaskKind
from backend.label_studio.config_tags import ConfigTag

OPTIONS = {"choices": "choice", "rectanglelabels": "label", "labels": "label"}
"""Tags of controls with fixed options, and the tag of these options."""

PATH = " > "
"""Joins the names of nested choices into one label."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what results hold for it, and the names by which a condition may call it."""

    label: Label
    stored: tuple[str, ...]
    called: frozenset[str]
    predicted: tuple[str, ...]


def control_of(tag: ConfigTag, tags: Sequence[ConfigTag]) -> Control:
    """Return the control of a tag, as if it were always shown."""
    found = list(options(tag, tags))
    name = ControlName(tag.get("name"))
    stored = {option.label: option.stored for option in found}
    nested = tag.kind == "choices" and tag.flag("allownested")
    return Control(
        name=name,
        image=tag.get("toname"),
        kind=_kind(tag),
        labels=tuple(stored),
        outside_names={one: option.label for option in found for one in option.predicted},
        tags=(ControlTag(name, stored, _geometry(tag, tags), nested),),
        required=tag.flag("required"),
    )


def options(tag: ConfigTag, tags: Sequence[ConfigTag]) -> Iterator[Option]:
    """Yield the options of a control.

    Of nested choices, only the innermost can be chosen: the editor marks those around them itself.
    Without `allowNested` it shows the outermost only.
    """
    below = [one for one in tags if one.kind == OPTIONS[tag.kind] and one.is_in(tag)]
    nested = tag.flag("allownested")
    for one in below:
        path = [above for above in one.parents if above in below]
        has_children = any(other.is_in(one) for other in below)
        if (nested and has_children) or (path and not nested) or not _stored(one):
            continue
        stored = tuple(_stored(step) for step in (*reversed(path), one)) if nested else ()
        yield Option(
            label=Label(PATH.join(stored) if nested else _stored(one)),
            stored=stored or (_stored(one),),
            called=frozenset({one.get("alias"), one.get("value")} - {""}),
            predicted=tuple(
                name.strip() for name in one.get("predicted_values").split(",") if name.strip()
            ),
        )


def _stored(option: ConfigTag) -> str:
    """Return the name that annotations hold: the alias if there is one, else the value."""
    return option.get("alias") or option.get("value")


def _geometry(tag: ConfigTag, tags: Sequence[ConfigTag]) -> tuple[str, ...]:
    if tag.kind != "labels":
        return ()
    return tuple(
        one.get("name")
        for one in tags
        if one.kind == "rectangle" and one.get("toname") == tag.get("toname") and one.get("name")
    )


def _kind(tag: ConfigTag) -> TaskKind:
    if tag.kind != "choices":
        return TaskKind.DETECTION
    return TaskKind.MULTI if tag.word("choice") == "multiple" else TaskKind.SINGLE
