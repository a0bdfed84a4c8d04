"""Parse a labeling config, Label Studio's XML, into a `LabelSchema`.

Supported are `Choices` (one or several) and `RectangleLabels` on one `Image`. Other controls are
ignored and named in a warning; a config without a supported control is refused.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from backend.domain.errors import UnsupportedConfig
from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, LabelSchema, TaskKind

SUPPORTED = {"Choices": "Choice", "RectangleLabels": "Label"}
"""Supported control tags, and the tag of their options."""

HINT = "Use <Image> with <Choices> or <RectangleLabels> in Settings > Labeling Interface"


def parse(label_config: str) -> LabelSchema:
    """Return the schema of a labeling config.

    Raises:
        UnsupportedConfig: when it is not XML, or has no image or no supported control.
    """
    root = readable(label_config)
    names = [image.get("name", "") for image in root.iter("Image")]
    if not names:
        raise UnsupportedConfig("the labeling config has no <Image> tag", HINT)
    found = [tag for tag in root.iter() if tag.get("toName")]
    shown = next((name for name in names if any(_is_supported(tag, name) for tag in found)), None)
    if shown is None:
        raise UnsupportedConfig(f"{_listed(found)} cannot be learned on an image", HINT)
    controls = tuple(_control(tag, shown) for tag in found if _is_supported(tag, shown))
    ignored = [tag for tag in found if not _is_supported(tag, shown)]
    image = next(image for image in root.iter("Image") if image.get("name") == shown)
    warnings = tuple(f"{_named(tag)} is ignored: this control cannot be learned" for tag in ignored)
    return LabelSchema(_data_key(image), controls, warnings)


def readable(label_config: str) -> Element:
    """Return the root of a labeling config. Raises UnsupportedConfig when it is not XML."""
    try:
        return fromstring(label_config)
    except (ParseError, DefusedXmlException, ValueError) as exc:
        raise UnsupportedConfig(f"the labeling config is not readable XML ({exc})", HINT) from exc


def _data_key(image: Element) -> str:
    value = image.get("value", "")
    if not value.startswith("$") or len(value) == 1:
        hint = 'Give it value="$image", the key of the image in the task data'
        raise UnsupportedConfig(f"<Image name={image.get('name')!r}> names no task data", hint)
    return value[1:]


def _is_supported(tag: Element, image: str) -> bool:
    """Return whether this is a named control with fixed options, not one for each region."""
    if tag.tag not in SUPPORTED or tag.get("toName") != image or not tag.get("name"):
        return False
    return tag.get("perRegion") != "true" and "value" not in tag.attrib and bool(_options(tag))


def _options(tag: Element) -> list[Element]:
    return [option for option in tag.iter(SUPPORTED[tag.tag]) if _stored(option)]


def _stored(option: Element) -> str:
    """Return the label that annotations hold: the alias if there is one, else the value."""
    return option.get("alias") or option.get("value") or ""


def _control(tag: Element, image: str) -> Control:
    labels = dict.fromkeys(Label(_stored(option)) for option in _options(tag))
    outside = {
        name.strip(): Label(_stored(option))
        for option in _options(tag)
        for name in option.get("predicted_values", "").split(",")
        if name.strip()
    }
    return Control(ControlName(tag.attrib["name"]), image, _kind(tag), tuple(labels), outside)


def _kind(tag: Element) -> TaskKind:
    if tag.tag == "RectangleLabels":
        return TaskKind.DETECTION
    return TaskKind.MULTI if tag.get("choice") == "multiple" else TaskKind.SINGLE


def _named(tag: Element) -> str:
    return f"<{tag.tag} name={tag.get('name', '')!r}>"


def _listed(tags: Iterable[Element]) -> str:
    return ", ".join(dict.fromkeys(f"<{tag.tag}>" for tag in tags)) or "a config without controls"
