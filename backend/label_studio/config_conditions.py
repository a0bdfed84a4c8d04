"""Change the labels that conditions in a labeling config name, in its text.

A condition is an attribute such as `whenChoiceValue="road,path"`: the tag shows once one of these
labels is chosen. It calls a label by its alias or by its value.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

_CONDITIONS: Final = ("whenchoicevalue", "whenlabelvalue")

Change = tuple[int, int, bytes]
"""Where a part of a text begins and ends, in bytes, and what takes its place."""


def renamed_conditions(text: bytes, renamed: Mapping[str, Mapping[str, str]]) -> list[Change]:
    """Return the changes after which conditions name the new labels.

    Args:
        text: an XML document that is well-formed, in UTF-8.
        renamed: the new name of each label that changes, by control and old name.
    """
    changes = list[Change]()
    parser = expat.ParserCreate("utf-8")

    def start(_tag: str, attributes: dict[str, str]) -> None:
        given = {name.lower(): value for name, value in attributes.items()}
        deciding = given.get("whentagname", "")
        controls = [deciding] if deciding else list(renamed)
        new = {old: name for one in controls for old, name in renamed.get(one, {}).items()}
        begin = parser.CurrentByteIndex
        end = tag_end(text, begin)
        head = text[begin:end]
        for condition in _CONDITIONS:
            head = _with(head, condition, _changed(given.get(condition, ""), new))
        if head != text[begin:end]:
            changes.append((begin, end, head))

    parser.StartElementHandler = start
    parser.Parse(text, True)
    return changes


def tag_end(text: bytes, start: int) -> int:
    """Return the position behind the `>` of the tag that begins here; quotes may contain one."""
    tag = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""").match(text, start)
    return tag.end() if tag else len(text)


def _changed(value: str, new: Mapping[str, str]) -> str:
    """Return the list of labels with the new names, each once; "" if none changes."""
    labels = value.split(",")
    if new.keys().isdisjoint(labels):
        return ""
    return ",".join(dict.fromkeys(new.get(one, one) for one in labels))


def _with(head: bytes, attribute: str, value: str) -> bytes:
    if not value:
        return head
    pattern = rb"""(?i)(\s%s\s*=\s*)("[^"]*"|'[^']*')""" % attribute.encode()
    return re.sub(pattern, lambda found: found[1] + quoteattr(value).encode(), head, count=1)
