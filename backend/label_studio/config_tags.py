"""Read the XML of a labeling config as Label Studio's editor does.

Names of tags and attributes count in any case, and the text of a tag without children is its value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring


@dataclass(frozen=True, slots=True)
class ConfigTag:
    """One tag, its name and attributes in lower case; `written` is its name as in the config."""

    kind: str
    written: str
    attributes: Mapping[str, str]
    parents: tuple["ConfigTag", ...]
    """The nearest first."""
    has_text: bool = False
    """Whether its value is its text."""

    def get(self, attribute: str, absent: str = "") -> str:
        return self.attributes.get(attribute, absent)

    def word(self, attribute: str) -> str:
        """Return the value of an attribute that is one of several words, in lower case."""
        return self.get(attribute).strip().lower()

    def flag(self, attribute: str) -> bool:
        return self.word(attribute) == "true"

    def is_in(self, other: "ConfigTag") -> bool:
        return any(parent is other for parent in self.parents)

    def __str__(self) -> str:
        name = self.get("name")
        return f"<{self.written} name={name!r}>" if name else f"<{self.written}>"


def read(label_config: str) -> tuple[ConfigTag, ...]:
    """Return all tags in the order of the config.

    Raises:
        ParseError, DefusedXmlException, ValueError: when it is not XML, or not harmless.
    """
    return tuple(_tags(fromstring(label_config), ()))


def _tags(element: Element, parents: tuple[ConfigTag, ...]) -> Iterator[ConfigTag]:
    written = str(element.tag)
    attributes = {name.lower(): value for name, value in element.attrib.items()}
    text = (element.text or "").strip()
    has_text = bool(text) and not len(element)
    if has_text:
        attributes["value"] = text
    tag = ConfigTag(written.lower(), written, attributes, parents, has_text)
    yield tag
    for child in element:
        yield from _tags(child, (tag, *parents))
