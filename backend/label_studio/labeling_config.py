"""Parse a labeling config, Label Studio's XML, into a `LabelSchema`.

Learned are `Choices` on one `Image`, `Text` or `HyperText` of the task, and `RectangleLabels`, or
`Rectangle` with `Labels`, on one `Image`. Other controls are ignored and named in a warning that
says why; a config of which nothing can be learned is refused.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException

from backend.domain.errors import UnsupportedConfig
from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, LabelSchema
from backend.label_studio import config_tags, task_data, visibility
from backend.label_studio.config_controls import OPTIONS, control_of
from backend.label_studio.config_objects import Objects, object_tag, objects, of_other_kinds
from backend.label_studio.config_tags import ConfigTag

_COLOR = re.compile("[a-zA-Z]{3,30}|#[0-9a-fA-F]{3,8}")

HINT = (
    "Use <Image> with <Choices> or <RectangleLabels>, or <Text> with <Choices>, in Settings > "
    "Labeling Interface"
)

SHAPES = {"rectangle", "labels"}

FILTER = "filter"
"""Narrows the labels that the editor lists; it asks nothing, though it has a `toName`."""


def parse(label_config: str) -> LabelSchema:
    """Return the schema of a labeling config.

    Raises:
        UnsupportedConfig: when it is not XML, or shows neither image nor text, or has no supported
            control.
    """
    tags = readable(label_config)
    found = objects(tags)
    if not found:
        raise UnsupportedConfig("the labeling config has no <Image> or <Text> tag", HINT)
    asking = [tag for tag in tags if tag.get("toname") and tag.kind != FILTER]
    refused = {id(tag): why for tag in asking if (why := _obstacle(tag, tags, found))}
    possible = [tag for tag in asking if id(tag) not in refused]
    refused |= {id(tag): why for tag, why in of_other_kinds(possible, found)}
    learned = [tag for tag in asking if id(tag) not in refused and tag.kind != "rectangle"]
    controls = [control_of(tag, tags) for tag in learned]
    shown = visibility.conditions(learned, tags, controls)
    for tag, condition in zip(learned, shown, strict=True):
        if isinstance(condition, str):
            refused[id(tag)] = condition
    kept = [
        replace(control, shown_when=condition)
        for control, condition in zip(controls, shown, strict=True)
        if not isinstance(condition, str)
    ]
    ignored = [(tag, refused[id(tag)]) for tag in asking if id(tag) in refused]
    if not kept:
        raise _nothing_learned(ignored)
    return _schema(_grouped(kept), found, ignored)


def _schema(
    controls: Sequence[Control],
    found: Objects,
    ignored: Sequence[tuple[ConfigTag, str]],
) -> LabelSchema:
    about = {control.image for control in controls}
    shown = tuple(object_tag(tag) for name, tag in found.items() if name in about)
    warnings = (
        *(f"{tag} is ignored: {why}" for tag, why in ignored),
        *(_of_lists(tag) for name, tag in found.items() if name in about and tag.get("valuelist")),
    )
    return LabelSchema(
        data_key=task_data.column(shown[0].value),
        controls=tuple(controls),
        warnings=warnings,
        unlearned=tuple(str(tag) for tag, _ in ignored),
        images=shown,
        unlearned_names=frozenset(tag.get("name") for tag, _ in ignored),
    )


def _of_lists(image: ConfigTag) -> str:
    return (
        f'{image} shows a list of images (valueList="{image.get("valuelist")}"): tasks with '
        "several are neither learned from nor predicted; import each image as a task of its own"
    )


def colors(label_config: str) -> dict[Label, str]:
    """Return the background colors of the labels that have a plain one: a name or `#` and digits.

    Raises:
        UnsupportedConfig: when the config is not XML.
    """
    found = {
        Label(tag.get("alias") or tag.get("value")): tag.get("background")
        for tag in readable(label_config)
        if tag.kind in OPTIONS.values()
    }
    return {label: color for label, color in found.items() if _COLOR.fullmatch(color)}


def readable(label_config: str) -> tuple[ConfigTag, ...]:
    """Return the tags of a labeling config. Raises UnsupportedConfig when it is not XML."""
    try:
        return config_tags.read(label_config)
    except (ParseError, DefusedXmlException, ValueError) as exc:
        raise UnsupportedConfig(f"the labeling config is not readable XML ({exc})", HINT) from exc


def _obstacle(tag: ConfigTag, tags: Sequence[ConfigTag], found: Objects) -> str | None:
    """Return why a control cannot be learned, and what to do about it."""
    if tag.kind not in OPTIONS and tag.kind not in SHAPES:
        return "this control cannot be learned"
    if why := _not_about_one_item(tag, found):
        return why
    if not tag.get("name"):
        return "it has no name; give it one"
    return _lonely(tag, tags) if tag.kind in SHAPES else _unreadable_options(tag, tags)


def _not_about_one_item(tag: ConfigTag, found: Objects) -> str | None:
    target = tag.get("toname")
    if "," in target:
        return (
            f'toName="{target}": it is about several items, and comparisons cannot be learned; '
            "ask about one"
        )
    if repeater := next((one for one in tag.parents if one.kind == "repeater"), None):
        return (
            f"<{repeater.written} on={repeater.get('on')!r}> makes a control of it for each item; "
            "import each item as a task of its own"
        )
    if target not in found:
        return f'toName="{target}": only questions about an <Image> or <Text> can be learned'
    if tag.kind in {*SHAPES, "rectanglelabels"} and found[target].kind != "image":
        return f"{found[target]} is labeled as a whole: spans of text cannot be learned"
    return None


def _lonely(tag: ConfigTag, tags: Sequence[ConfigTag]) -> str | None:
    """Return what is missing of the pair that draws labeled rectangles."""
    other = "labels" if tag.kind == "rectangle" else "rectangle"
    partners = [one for one in tags if one.kind == other and one.get("toname") == tag.get("toname")]
    if partners:
        return _unreadable_options(tag, tags) if tag.kind == "labels" else None
    if tag.kind == "rectangle":
        return "rectangles without labels cannot be learned; use <RectangleLabels>"
    return "this control cannot be learned; for rectangles use <RectangleLabels>"


def _unreadable_options(tag: ConfigTag, tags: Sequence[ConfigTag]) -> str | None:
    for attribute, written, each in (
        ("perregion", "perRegion", "region"),
        ("peritem", "perItem", "item of a list"),
    ):
        if tag.flag(attribute):
            return f'{written}="true": one answer for each {each} cannot be learned'
    if tag.get("value").startswith("$"):
        return (
            f'value="{tag.get("value")}": its options come from the task data; write them into the '
            f"labeling config as <{'Choice' if tag.kind == 'choices' else 'Label'}> tags"
        )
    option = OPTIONS[tag.kind]
    if not any(one.kind == option and one.is_in(tag) for one in tags):
        return f"it has no <{option.capitalize()}>; add some"
    return None


def _grouped(controls: Sequence[Control]) -> list[Control]:
    """Join the controls that draw on one image under one condition: one detector learns them."""
    groups: dict[object, list[Control]] = {}
    for control in controls:
        key = control.name if not control.is_drawn else (control.image, control.shown_when)
        groups.setdefault(key, []).append(control)
    return [_joined(group) for group in groups.values()]


def _joined(group: Sequence[Control]) -> Control:
    """Return one control; a label that several tags have is told apart by the tag's name."""
    if len(group) == 1:
        return group[0]
    names = [label for one in group for label in one.labels]
    twice = {label for label in names if names.count(label) > 1}
    apart = [one.prefixed(twice) for one in group]
    return replace(
        group[0],
        name=ControlName("+".join(one.name for one in group)),
        labels=tuple(label for one in apart for label in one.labels),
        outside_names={name: label for one in apart for name, label in one.outside_names.items()},
        tags=tuple(tag for one in apart for tag in one.tags),
        required=any(one.required for one in group),
    )


def _nothing_learned(ignored: Iterable[tuple[ConfigTag, str]]) -> UnsupportedConfig:
    found = list(ignored)
    kinds = ", ".join(dict.fromkeys(f"<{tag.written}>" for tag, _ in found))
    if not kinds:
        return UnsupportedConfig("a config without controls cannot be learned", HINT)
    reasons = dict.fromkeys(f"{tag} is ignored: {why}" for tag, why in found)
    details = "; ".join(reason for reason in reasons)
    return UnsupportedConfig(f"{kinds} cannot be learned: {details}", HINT)
