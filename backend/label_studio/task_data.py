"""Find the address of an image in the data of a task, as Label Studio's editor does.

`$image` is a key, `$meta.photo` and `$images[0].url` are paths, and text around variables stays:
`https://cdn.example.org/$file`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

from backend.domain.json import Json

_VARIABLE = re.compile(r"\$[\w\[\].{}]+")
_KEYLESS = "$undefined$"
"""Label Studio's key of data that was imported without one."""

_STEP = re.compile(r"[^.\[\]]+")


def has_variable(template: str) -> bool:
    """Return whether a template takes anything from the task's data."""
    return bool(column(template))


def column(template: str) -> str:
    """Return the key of the task's data that a template begins with."""
    found = _VARIABLE.search(template)
    return _first(found.group()[1:]) if found else ""


def address(template: str, data: Json) -> str:
    """Return the address that a template stands for; empty where a part of it is missing.

    A list of one image is that image. A longer list is returned as JSON, so that the message about
    an address that cannot be fetched shows it.
    """
    found = _VARIABLE.fullmatch(template)
    if found:
        return _text(_at(data, template[1:]))
    parts = [_text(_at(data, one.group()[1:])) for one in _VARIABLE.finditer(template)]
    if not all(parts):
        return ""
    filled = iter(parts)
    return _VARIABLE.sub(lambda _: next(filled), template)


def _first(path: str) -> str:
    return next(iter(_STEP.findall(path)), "")


def _at(data: Json, path: str) -> object:
    """Return the value at a path; a key with dots in it wins over the path.

    Images that were imported before the labeling config have no key of it yet.
    """
    if path in data:
        return data[path]
    if _KEYLESS in data and _first(path) not in data:
        return data[_KEYLESS]
    value: object = data
    for step in _STEP.findall(path):
        if isinstance(value, Mapping):
            fields = cast(Mapping[str, object], value)
            value = fields.get(step)
        elif isinstance(value, list) and step.isdecimal():
            items = cast(Sequence[object], value)
            value = items[int(step)] if int(step) < len(items) else None
        else:
            return None
    return value


def _text(value: object) -> str:
    if isinstance(value, list):
        items = cast(list[object], value)
        return _text(items[0]) if len(items) == 1 else json.dumps(items) if items else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""
