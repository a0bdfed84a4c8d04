"""When the editor shows a control: `visibleWhen` and the attributes beside it.

Each tag around a control may have a condition too; all must hold.
"""

from collections.abc import Mapping, Sequence

from backend.domain.ids import ControlName
from backend.domain.schema import Control, ShowWhen
from backend.label_studio.config_controls import options
from backend.label_studio.config_tags import ConfigTag

CHOICE = ("choice-selected", "choice-unselected")
REGION = "region-selected"
"""Its opposite, `no-region-selected`, keeps nobody from answering: the question shows at first."""


def conditions(
    learned: Sequence[ConfigTag], tags: Sequence[ConfigTag], controls: Sequence[Control]
) -> list[tuple[ShowWhen, ...] | str]:
    """Return the conditions of each learned control, or why they cannot be followed.

    A control whose condition rests on one that is not learned cannot be followed either.
    """
    asked = {
        control.name: tag
        for control, tag in zip(controls, learned, strict=True)
        if tag.kind == "choices"
    }
    while True:
        found = [_of(tag, asked, tags) for tag in learned]
        lost = {
            control.name
            for control, one in zip(controls, found, strict=True)
            if isinstance(one, str) and control.name in asked
        }
        if not lost:
            return found
        asked = {name: tag for name, tag in asked.items() if name not in lost}


def _of(
    tag: ConfigTag, asked: Mapping[ControlName, ConfigTag], tags: Sequence[ConfigTag]
) -> tuple[ShowWhen, ...] | str:
    found = list[ShowWhen]()
    for one in (tag, *tag.parents):
        condition = _condition(one, asked, tags)
        if isinstance(condition, str):
            return condition
        if condition is not None:
            found.append(condition)
    return tuple(found)


def _condition(
    tag: ConfigTag, asked: Mapping[ControlName, ConfigTag], tags: Sequence[ConfigTag]
) -> ShowWhen | str | None:
    when, value = tag.word("visiblewhen"), tag.get("whenchoicevalue")
    if when == REGION:
        return f'visibleWhen="{when}": answers about a selected region cannot be learned'
    if when not in CHOICE and (when or not value):  # the editor always shows it
        return None
    name = ControlName(tag.get("whentagname")) if when else None
    if name and name not in asked:
        return (
            f'whenTagName="{name}": no <Choices> of that name is learned, so it is unknown where '
            "the question shows"
        )
    labels = None
    if value and (name or not when):  # without a name, the editor passes over the labels
        deciding = [asked[name]] if name else list(asked.values())
        called = set(value.split(",")) if when else {value}
        labels = frozenset(
            option.label
            for one in deciding
            for option in options(one, tags)
            if called & option.called
        )
    return ShowWhen(name or None, labels, negated=when == "choice-unselected")
