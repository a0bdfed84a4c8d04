"""Features that were looked up before they are asked for."""

import threading
from collections.abc import Iterator, Sequence

from backend.domain.answers import ImageRef
from backend.domain.ids import TaskId
from backend.models.embedding.feature_cache import Entries
from backend.models.embedding.lookup import CachedRows

MOST = 20_000
"""Images whose features are kept. They are held twice while a batch of them is filled: 1,280
numbers each take 51 MB."""

_Key = tuple[TaskId, str]


class FoundAhead:
    """Keeps cached features until an extraction asks for them; safe for several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._found: dict[_Key, tuple[Entries, int]] = {}
        self._lock = threading.Lock()

    @property
    def room(self) -> int:
        """Of how many further images features may be kept."""
        return max(0, self._most - len(self._found))

    def keep(self, refs: Sequence[ImageRef], found: CachedRows) -> None:
        """Keep what was found of these images."""
        with self._lock:
            for row, place in zip(found.rows, found.places, strict=True):
                self._found[_key(refs[row])] = found.entries, place

    def take(self, refs: Sequence[ImageRef]) -> Iterator[CachedRows]:
        """Yield what is kept of these images, in groups, and keep it no longer."""
        groups: dict[int, CachedRows] = {}
        for row, entries, place in self._popped(refs):
            group = groups.setdefault(id(entries), CachedRows([], [], entries))
            group.rows.append(row)
            group.places.append(place)
        while groups:
            yield groups.popitem()[1]

    def forget(self) -> None:
        with self._lock:
            self._found.clear()

    def _popped(self, refs: Sequence[ImageRef]) -> list[tuple[int, Entries, int]]:
        with self._lock:
            if not self._found:
                return []
            popped = (self._found.pop(_key(ref), None) for ref in refs)
            return [(row, *one) for row, one in enumerate(popped) if one]


def _key(ref: ImageRef) -> _Key:
    return ref.task, ref.uri
