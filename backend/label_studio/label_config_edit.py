"""Change the labels in a labeling config, and nothing else in its text.

A `Choice` or `Label` is known by the name that annotations hold: its alias, else its value. The
positions of the tags come from expat, so comments, order and indentation stay as they are.
Conditions that name a label (`whenChoiceValue`) change with it.
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
from backend.label_studio.config_conditions import Change, renamed_conditions, tag_end
from backend.label_studio.labeling_config import readable

OPTION_TAGS: Final = {"choice", "label"}
_BY_HAND: Final = "Change the labeling config by hand"


@dataclass(slots=True)
class _Option:
    """A `Choice` or `Label` tag; `start`, `head` and `end` are positions in the config's bytes.

    `head` is where the start tag ends, `end` where the element does. `names` are its alias and its
    value. `is_path` says that annotations hold it as the last step of a path.
    """

    control: str
    tag: str
    label: Label
    names: tuple[str, ...]
    attribute: str
    start: int
    head: int
    is_path: bool
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
    _check_written(config, edit)
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
    changes = list[Change]()
    for options in _options(config).values():
        sources = [one for one in options if one.label in edit.mapping]
        if sources and edit.into and all(one.label != edit.into for one in options):
            first = sources[0]
            added = f"<{first.tag} value={quoteattr(edit.into)}/>".encode()
            changes.append((first.end, first.end, added))
    return _applied(config, changes)


def completed(config: str, wanted: Mapping[str, Sequence[Label]]) -> str:
    """Return the config with the labels that its controls lack of those `wanted`, at their ends."""
    changes = list[Change]()
    for name, options in _options(config).items():
        known, last = {one.label for one in options}, options[-1]
        missing = [label for label in wanted.get(name, ()) if label not in known]
        if missing and not last.is_path:
            tags = "".join(f"<{last.tag} value={quoteattr(label)}/>" for label in missing)
            changes.append((last.end, last.end, tags.encode()))
    return _applied(config, changes)


def edited(config: str, edit: LabelEdit) -> str:
    """Return the config after the change. Raises BadInput as `check` does."""
    check(config, edit)
    text, changes = config.encode(), list[Change]()
    renamed = dict[str, dict[str, str]]()
    for name, options in _options(config).items():
        sources = [one for one in options if one.label in edit.mapping]
        if edit.into:
            renamed[name] = {called: edit.into for one in sources for called in one.names}
        if sources and edit.into and all(one.label != edit.into for one in options):
            first = sources.pop(0)
            changes.append(_renamed(text, first, edit.into))
        changes += [(_line_start(text, one.start), one.end, b"") for one in sources]
    changes += renamed_conditions(text, renamed)
    return _applied(config, changes)


def _check_control(
    name: str, known: Sequence[Label], gone: Sequence[_Option], edit: LabelEdit
) -> None:
    if edit.change is LabelChange.RENAME and gone and edit.into in known:
        what = f"'{name}' has both '{gone[0].label}' and '{edit.into}'"
        raise BadInput(what, "Merge them instead: autolabel labels PROJECT merge OLD INTO")
    if any(one.is_path for one in gone):
        what = f"annotations hold the labels of '{name}' as paths, which cannot be changed"
        raise BadInput(what, _BY_HAND)
    if not edit.into and gone and len(gone) == len(known):
        what = f"'{gone[0].label}' is the only label of '{name}'"
        raise BadInput(what, "Add another one to the labeling config first")
    removed = gone[1:] if edit.into and edit.into not in known else gone
    parent = next((one for one in removed if one.is_parent), None)
    if parent:
        what = f"'{parent.label}' of '{name}' has further labels below it"
        raise BadInput(what, _BY_HAND)


def _check_written(config: str, edit: LabelEdit) -> None:
    """Refuse labels that are the text of their tag, which has no attribute to change."""
    for tag in readable(config):
        label = tag.get("value")
        is_text = tag.kind in OPTION_TAGS and tag.has_text and not tag.get("alias")
        if is_text and label in edit.mapping:
            hint = f'Write it as <{tag.written} value="{label}"/> in the labeling config'
            raise BadInput(f"'{label}' is the text of its tag, which cannot be changed", hint)


def _options(config: str) -> Mapping[str, list[_Option]]:
    """Find the options of each control. Raises UnsupportedConfig for XML that is not readable."""
    readable(config)
    text, found = config.encode(), defaultdict[str, list[_Option]](list)
    open_options, controls = list[_Option | None](), list[tuple[str, bool]]()
    parser = expat.ParserCreate("utf-8")

    def start(tag: str, attributes: dict[str, str]) -> None:
        option, given = None, {name.lower(): value for name, value in attributes.items()}
        if given.get("name") and "toname" in given:
            is_path = tag.lower() == "taxonomy" or given.get("allownested", "").lower() == "true"
            controls.append((given["name"], is_path))
        else:
            controls.append(controls[-1] if controls else ("", False))
        control, is_path = controls[-1]
        names = tuple(name for key in ("alias", "value") if (name := given.get(key, "")))
        if tag.lower() in OPTION_TAGS and control and names:
            begin = parser.CurrentByteIndex
            attribute = "alias" if given.get("alias") else "value"
            head = tag_end(text, begin)
            option = _Option(control, tag, Label(names[0]), names, attribute, begin, head, is_path)
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
            option.end = option.head if is_empty else tag_end(text, parser.CurrentByteIndex)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(text, True)
    return found


def _renamed(text: bytes, option: _Option, label: Label) -> Change:
    pattern = rb"""(?i)(\s%s\s*=\s*)("[^"]*"|'[^']*')""" % option.attribute.encode()
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


def _applied(config: str, changes: Sequence[Change]) -> str:
    return b"".join(_parts(config.encode(), sorted(changes))).decode()


def _parts(text: bytes, changes: Sequence[Change]) -> Iterator[bytes]:
    done = 0
    for start, end, new in changes:
        yield text[done:start]
        yield new
        done = end
    yield text[done:]
