"""Store new features in the cache, many in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from backend.models.embedding.feature_cache import Entry, FeatureCache

AT_ONCE = 256
"""Entries in a transaction, which takes as long as some dozens of them."""

AT_LEAST_EVERY = 1.0
"""Seconds after which entries are stored though they are fewer: what a killed process loses."""


class FeatureWriter:
    """Gathers entries for the cache; `flush` must be called at the end. For one thread."""

    def __init__(self, cache: FeatureCache, clock: Callable[[], float] = monotonic) -> None:
        self._cache = cache
        self._clock = clock
        self._waiting: dict[str, Entry] = {}
        self._since = 0.0

    def get(self, digests: Sequence[str]) -> Mapping[str, Entry]:
        """Return the known entries, stored or waiting."""
        found = {one: self._waiting[one] for one in digests if one in self._waiting}
        return found | dict(self._cache.get([one for one in digests if one not in found]))

    def add(self, entries: Mapping[str, Entry]) -> None:
        """Keep entries, now or soon. Raises OutOfSpace."""
        if not self._waiting:
            self._since = self._clock()
        self._waiting |= entries
        if len(self._waiting) >= AT_ONCE or self._clock() - self._since >= AT_LEAST_EVERY:
            self.flush()

    def flush(self) -> None:
        """Store what waits. Raises OutOfSpace."""
        waiting, self._waiting = self._waiting, {}
        if waiting:
            self._cache.put(waiting)
