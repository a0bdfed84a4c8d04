"""Change the labels in a labeling config, and nothing else in its text.

A `Choice` or `Label` is known by the name that annotations hold: its alias, else its value. The
positions of the tags come from expat, so comments, order and indentation stay as they are.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.label_edits import LabelChange, LabelEdit
from backend.label_studio.labeling_config import readable

OPTION_TAGS: Final = {"Choice", "Label"}


@dataclass(slots=True)
class _Option:
    """A `Choice` or `Label` tag; `start`, `head` and `end` are positions in the config's bytes.

    `head` is where the start tag ends, `end` where the element does.
    """

    control: str
    tag: str
    label: Label
    attribute: str
    start: int
    head: int
    end: int = 0
    is_parent: bool = False


def labels(config: str) -> Mapping[str, tuple[Label, ...]]:
    """Return the labels of each control, in the order of the config."""
    return {name: tuple(one.label for one in options) for name, options in _options(config).items()}


def check(config: str, edit: LabelEdit) -> None:
    """Check that a config can be changed so.

    Raises:
        BadInput: when it cannot, with the reason.
    """
    for name, options in _options(config).items():
        known = [one.label for one in options]
        gone = [one for one in options if one.label in edit.mapping]
        _check_control(name, known, gone, edit)
    known = {label for options in labels(config).values() for label in options}
    if edit.change is not LabelChange.DELETE and not known & {*edit.labels, edit.into}:
        names = ", ".join(f"'{label}'" for label in (*edit.labels, edit.into))
        hint = "See the labels with: autolabel labels PROJECT list"
        raise BadInput(f"the labeling config has none of {names}", hint)
    foreign = known.isdisjoint(edit.mapping) and edit.into not in known
    if edit.change is not LabelChange.DELETE and foreign:
        raise BadInput(f"the labeling config has no '{edit.into}'", "Add it there first")


def widened(config: str, edit: LabelEdit) -> str:
    """Return the config with the new label beside the old ones, for as long as both are in use."""
    changes = list[tuple[int, int, bytes]]()
    for options in _options(config).values():
        sources = [one for one in options if one.label in edit.mapping]
        if sources and edit.into and all(one.label != edit.into for one in options):
            first = sources[0]
            added = f"<{first.tag} value={quoteattr(edit.into)}/>".encode()
            changes.append((first.end, first.end, added))
    return _applied(config, changes)


def edited(config: str, edit: LabelEdit) -> str:
    """Return the config after the change. Raises BadInput as `check` does."""
    check(config, edit)
    text, changes = config.encode(), list[tuple[int, int, bytes]]()
    for options in _options(config).values():
        sources = [one for one in options if one.label in edit.mapping]
        if sources and edit.into and all(one.label != edit.into for one in options):
            changes.append(_renamed(text, sources.pop(0), edit.into))
        changes += [(_line_start(text, one.start), one.end, b"") for one in sources]
    return _applied(config, changes)


def _check_control(
    name: str, known: Sequence[Label], gone: Sequence[_Option], edit: LabelEdit
) -> None:
    if edit.change is LabelChange.RENAME and gone and edit.into in known:
        what = f"'{name}' has both '{gone[0].label}' and '{edit.into}'"
        raise BadInput(what, "Merge them instead: autolabel labels PROJECT merge OLD INTO")
    if not edit.into and gone and len(gone) == len(known):
        what = f"'{gone[0].label}' is the only label of '{name}'"
        raise BadInput(what, "Add another one to the labeling config first")
    removed = gone[1:] if edit.into and edit.into not in known else gone
    parent = next((one for one in removed if one.is_parent), None)
    if parent:
        what = f"'{parent.label}' of '{name}' has further labels below it"
        raise BadInput(what, "Change the labeling config by hand")


def _options(config: str) -> Mapping[str, list[_Option]]:
    """Find the options of each control. Raises UnsupportedConfig for XML that is not readable."""
    readable(config)
    text, found = config.encode(), defaultdict[str, list[_Option]](list)
    open_options, controls = list[_Option | None](), list[str]()
    parser = expat.ParserCreate("utf-8")

    def start(tag: str, attributes: dict[str, str]) -> None:
        controls.append(attributes.get("name", "") if "toName" in attributes else "")
        control = next((name for name in reversed(controls) if name), "")
        label = attributes.get("alias") or attributes.get("value")
        option = None
        if tag in OPTION_TAGS and control and label:
            begin = parser.CurrentByteIndex
            attribute = "alias" if attributes.get("alias") else "value"
            head = _tag_end(text, begin)
            option = _Option(control, tag, Label(label), attribute, begin, head)
            found[control].append(option)
            for above in open_options:
                if above:
                    above.is_parent = True
        open_options.append(option)

    def end(_tag: str) -> None:
        controls.pop()
        option = open_options.pop()
        if option:
            is_empty = text[option.head - 2 : option.head] == b"/>"
            option.end = option.head if is_empty else _tag_end(text, parser.CurrentByteIndex)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(text, True)
    return found


def _tag_end(text: bytes, start: int) -> int:
    """Return the position behind the `>` of the tag that begins here; quotes may contain one."""
    tag = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""").match(text, start)
    return tag.end() if tag else len(text)


def _renamed(text: bytes, option: _Option, label: Label) -> tuple[int, int, bytes]:
    pattern = rb"""(\s%s\s*=\s*)("[^"]*"|'[^']*')""" % option.attribute.encode()
    name = quoteattr(label).encode()
    head = text[option.start : option.head]
    changed = re.sub(pattern, lambda found: found[1] + name, head, count=1)
    return option.start, option.head, changed


def _line_start(text: bytes, start: int) -> int:
    """Return where the indentation in front of a tag begins, with the line break."""
    before = text[:start].rstrip(b" \t")
    if not before.endswith(b"\n"):
        return start
    return len(before.removesuffix(b"\n").removesuffix(b"\r"))


def _applied(config: str, changes: Sequence[tuple[int, int, bytes]]) -> str:
    return b"".join(_parts(config.encode(), sorted(changes))).decode()


def _parts(text: bytes, changes: Sequence[tuple[int, int, bytes]]) -> Iterator[bytes]:
    done = 0
    for start, end, new in changes:
        yield text[done:start]
        yield new
        done = end
    yield text[done:]
