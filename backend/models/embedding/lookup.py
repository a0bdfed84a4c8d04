"""Look up the features of many images at once.

Where the features of an image are cached and its digest is known without a request, as for most
images of a later round, there is nothing to wait for. So this is done without a thread or a queue,
which would take most of the time.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from time import monotonic

from backend.domain.answers import ImageRef
from backend.domain.steps import Step
from backend.models.embedding.feature_cache import Entries, FeatureCache
from backend.ports.images import ImageFiles

_AT_ONCE = 250
"""Images of one look-up. It reads the status of their files, which takes milliseconds each in a
slow network folder, and progress must be reported at least every second or two."""

_SAMPLE, _LEAST = 100, 0.25
"""Images of a sample, and the share of them that must be cached, or else none is looked up: one
look-up costs about a quarter of what it saves."""


@dataclass(frozen=True, slots=True)
class CachedRows:
    """Features that are cached: row `rows[i]` of a batch is `entries.vectors[places[i]]`.

    Rows of equal images have the same place.
    """

    rows: list[int]
    places: list[int]
    entries: Entries

    def among(self, rows: Sequence[int]) -> "CachedRows":
        """Return the same of a batch in which these `rows` were the batch of this one."""
        return CachedRows([rows[row] for row in self.rows], self.places, self.entries)


def look_up(
    refs: Sequence[ImageRef],
    files: ImageFiles,
    cache: FeatureCache,
    seconds: MutableMapping[Step, float],
) -> Iterator[CachedRows]:
    """Yield the rows whose features are cached, in groups, of which some may be empty.

    Some cached ones may be left out: all of them where too few are cached for a look-up to pay.
    The time spent is added to `seconds`, that on files as FETCH and that on features as EMBED.

    Raises:
        OutOfSpace: when there is no room for the caches.
    """
    begun = monotonic()
    pays = _pays(refs, files, cache)
    seconds[Step.FETCH] += monotonic() - begun
    for start in range(0, len(refs) if pays else 0, _AT_ONCE):
        begun = monotonic()
        digests = files.known(refs[start : start + _AT_ONCE])
        known = monotonic()
        found = _cached(digests, start, cache)
        seconds[Step.FETCH] += known - begun
        seconds[Step.EMBED] += monotonic() - known
        yield found


def _pays(refs: Sequence[ImageRef], files: ImageFiles, cache: FeatureCache) -> bool:
    """Judge by a sample whether enough images are cached."""
    sample = refs[:: 1 + len(refs) // _SAMPLE]
    digests = [digest for digest in files.known(sample) if digest is not None]
    return cache.count(digests) >= _LEAST * len(sample)


def _cached(digests: Sequence[str | None], first: int, cache: FeatureCache) -> CachedRows:
    """Return the cached rows among those from `first` on, which have these digests."""
    rows_of: dict[str, list[int]] = {}
    for row, digest in enumerate(digests, first):
        if digest is not None:
            rows_of.setdefault(digest, []).append(row)
    entries = cache.read(list(rows_of))
    found = [rows_of[digest] for digest in entries.digests]
    rows = [row for equal in found for row in equal]
    places = [place for place, equal in enumerate(found) for _ in equal]
    return CachedRows(rows, places, entries)
