"""Read the texts of tasks: from their addresses, or from where these lead."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain import texts
from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.errors import UnreadableImage
from backend.domain.items import ItemKind
from backend.ports.images import ImageFiles

NO_TEXT = "the task has no text"

AT_ONCE = 1000
"""Texts in memory at a time."""

MOST_SAMPLED, MOST_CHARACTERS = 10_000, 10_000_000
"""Texts of a sample at most, and their characters in all."""


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads texts; `files` opens what fetches those that are not in the data of their tasks."""

    files: Callable[[], ImageFiles]

    def read(self, refs: Sequence[ImageRef]) -> Iterator[str | NoPrediction]:
        """Yield each text in order, bounded and without markup, or why there is none."""
        linked = [ref for ref in refs if ref.uri and texts.inline_text(ref.uri) is None]
        fetched = self._fetched(linked)
        for ref in refs:
            content = texts.inline_text(ref.uri) if ref.uri else ""
            found = next(fetched) if content is None else content
            yield found or NoPrediction(ref.task, NO_TEXT)

    def groups(
        self, refs: Sequence[ImageRef]
    ) -> Iterator[list[tuple[ImageRef, str | NoPrediction]]]:
        """Yield all texts as `read` does, with their tasks, 1,000 at a time."""
        for start in range(0, len(refs), AT_ONCE):
            some = refs[start : start + AT_ONCE]
            yield list(zip(some, self.read(some), strict=True))

    def sample(self, refs: Sequence[ImageRef]) -> list[str]:
        """Return different texts, in an order that depends on nothing but the set of them.

        Of many, those with the smallest digests are taken: that is as good as a random sample, and
        the same one the next time.
        """
        places: dict[str, ImageRef] = {}
        for group in self.groups(refs):
            places |= {digest(one): ref for ref, one in group if isinstance(one, str)}
        chosen = [places[key] for key in sorted(places)[:MOST_SAMPLED]]
        found: list[str] = []
        room = MOST_CHARACTERS
        for one in self.read(chosen):
            room -= len(one) if isinstance(one, str) else 0
            if room < 0:
                break
            found += [one] if isinstance(one, str) else []
        return found

    def path(self, ref: ImageRef) -> Path:
        """Return the file of a text that is fetched. Raises UnreadableImage."""
        if not ref.uri:
            raise UnreadableImage(NO_TEXT)
        return self.files().path(ref)

    def _fetched(self, refs: Sequence[ImageRef]) -> Iterator[str | NoPrediction]:
        if not refs:
            return
        files = self.files()
        for slot in files.digests(refs):
            if isinstance(slot, NoPrediction):
                yield slot
                continue
            try:
                yield _content(files.path(slot[0]), slot[0].kind)
            except UnreadableImage as exc:
                yield NoPrediction(slot[0].task, str(exc))


def digest(text: str) -> str:
    """Return a digest of a text, its key in a feature cache."""
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _content(path: Path, kind: ItemKind) -> str:
    most = texts.MOST_CHARACTERS * texts.MARKUP_FACTOR
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        found = file.read(most if kind is ItemKind.HYPERTEXT else texts.MOST_CHARACTERS)
    return texts.without_markup(found) if kind is ItemKind.HYPERTEXT else found.strip()
