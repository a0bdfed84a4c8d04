"""Texts of tasks: bounded, stripped of markup, and as addresses.

The address of a text that the task's data holds is that text behind `data:text/plain,`, so that
nothing tries to fetch it. Unlike the `data:` addresses of RFC 2397, it is not percent-encoded.
"""

import html
import re
from collections.abc import Iterator

MOST_CHARACTERS = 20_000
"""Characters of a text that are read; what follows is cut off."""

EXCERPT = 300
"""Characters of a text that a person sees of it at a glance."""

MARKUP_FACTOR = 10
"""How many times as many characters of hypertext are read, since most of them may be markup."""

_INLINE = "data:text/plain,"
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")
_HIDDEN = {"script", "style", "template", "head"}
"""Elements whose content nobody sees."""


def inline_address(text: str) -> str:
    """Return the address of a text that needs no fetching; empty for a text without words."""
    bounded = text[:MOST_CHARACTERS].encode(errors="replace").decode().strip()
    return f"{_INLINE}{bounded}" if bounded else ""


def inline_text(address: str) -> str | None:
    """Return the text in an address; None if it must be fetched."""
    return address.removeprefix(_INLINE) if address.startswith(_INLINE) else None


def excerpt(address: str) -> str:
    """Return the beginning of a text, or its address where it must be fetched."""
    text = inline_text(address)
    shown = " ".join((address if text is None else text[: 2 * EXCERPT]).split())
    return shown if len(shown) <= EXCERPT else f"{shown[: EXCERPT - 1]}…"


def without_markup(markup: str) -> str:
    """Return the words of HTML: no tags, comments, scripts or styles, entities resolved.

    Takes time linear in the length. Broken HTML is read as far as it can be.
    """
    visible = " ".join(_visible(markup[: MOST_CHARACTERS * MARKUP_FACTOR]))
    return " ".join(html.unescape(visible).split())[:MOST_CHARACTERS]


def _visible(markup: str) -> Iterator[str]:
    """Yield the text between tags."""
    place, hidden = 0, ""
    while (start := markup.find("<", place)) >= 0:
        if not hidden:
            yield markup[place:start]
        name = _name(markup, start)
        if not name and not markup.startswith(("<!", "<?"), start):  # such as 1 < 2
            if not hidden:
                yield "<"
            place = start + 1
            continue
        end = markup.find("-->" if markup.startswith("<!--", start) else ">", start)
        if end < 0:
            return
        place = markup.index(">", end) + 1
        hidden = _still_hidden(hidden, name)
    if not hidden:
        yield markup[place:]


def _name(markup: str, start: int) -> str:
    """Return the name of a tag in lower case, with a slash if it is an end tag."""
    found = _NAME.match(markup, start + 1)
    return found.group().lower() if found else ""


def _still_hidden(hidden: str, name: str) -> str:
    """Return the element that hides what follows a tag; empty if none does."""
    if hidden:
        return "" if name == f"/{hidden}" else hidden
    return name if name in _HIDDEN else ""
