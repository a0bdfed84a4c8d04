"""What a labeling config asks: from Label Studio's XML to a `LabelSchema`.

We learn `Choices` (one or several) and `RectangleLabels` on one `Image`. Every other control of
that image is left alone and named in a warning; a config with none that we learn is refused.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from backend.domain.errors import UnsupportedConfig
from backend.domain.ids import ControlName, Label
from backend.domain.schema import Control, LabelSchema, TaskKind

LEARNED = {"Choices": "Choice", "RectangleLabels": "Label"}
"""Tags that we learn, and the tag of their options."""

HINT = "Use <Image> with <Choices> or <RectangleLabels> in Settings > Labeling Interface"


def parse(label_config: str) -> LabelSchema:
    """The schema of a labeling config.

    Raises:
        UnsupportedConfig: when it is no XML, has no image, or no control that we learn.
    """
    root = _root(label_config)
    names = [image.get("name", "") for image in root.iter("Image")]
    if not names:
        raise UnsupportedConfig("the labeling config has no <Image> tag", HINT)
    found = [tag for tag in root.iter() if tag.get("toName")]
    shown = next((name for name in names if any(_learnable(tag, name) for tag in found)), None)
    if shown is None:
        raise UnsupportedConfig(f"we do not learn {_listed(found)} on an image", HINT)
    controls = tuple(_control(tag, shown) for tag in found if _learnable(tag, shown))
    left_alone = [tag for tag in found if not _learnable(tag, shown)]
    image = next(image for image in root.iter("Image") if image.get("name") == shown)
    warnings = tuple(f"{_named(tag)} is left alone: we do not learn it" for tag in left_alone)
    return LabelSchema(_data_key(image), controls, warnings)


def _root(label_config: str) -> Element:
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


def _learnable(tag: Element, image: str) -> bool:
    """Whether we learn this control: fixed options, about the whole image, named."""
    if tag.tag not in LEARNED or tag.get("toName") != image or not tag.get("name"):
        return False
    return tag.get("perRegion") != "true" and "value" not in tag.attrib and bool(_options(tag))


def _options(tag: Element) -> list[Element]:
    return [option for option in tag.iter(LEARNED[tag.tag]) if _stored(option)]


def _stored(option: Element) -> str:
    """What Label Studio writes into an annotation: the alias where there is one."""
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
