"""Image files, in the words of the domain."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.label_studio.errors import in_our_words
from connectors.images.cache import ImageCache


class GatewayFiles:
    """Implements `backend.ports.label_studio.ImageFiles` over the connectors' image cache."""

    def __init__(self, cache: ImageCache) -> None:
        self._cache = cache

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        with in_our_words():
            found = self._cache.digests([(ref.task, ref.uri) for ref in refs])
            for ref, file in zip(refs, found, strict=True):
                if file.digest is None:
                    yield NoPrediction(ref.task, file.reason)
                else:
                    yield ref, file.digest

    def path(self, ref: ImageRef) -> Path:
        with in_our_words():
            return self._cache.path(ref.task, ref.uri)
