"""Image files on a disk; implements `ports.images.ImageFiles`."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.errors import UnreadableImage


class FakeImageFiles:
    """Addresses are paths. `gone` cannot be fetched, `decoded` lists what was asked for.

    A `gate` that is not set holds the images back from the second on.
    """

    def __init__(self, gone: Sequence[str] = ()) -> None:
        self.gone = set(gone)
        self.decoded: list[str] = []
        self._digests: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        for position, ref in enumerate(refs):
            if position:
                self.gate.wait(30)
            if ref.uri in self.gone:
                yield NoPrediction(ref.task, "404")
            else:
                self._digests[ref.uri] = _digest(ref)
                yield ref, self._digests[ref.uri]

    def known(self, refs: Sequence[ImageRef]) -> Sequence[str | None]:
        """Know the files that were read before and did not change since."""
        return [
            self._digests[ref.uri]
            if ref.uri not in self.gone and self._digests.get(ref.uri) == _digest(ref)
            else None
            for ref in refs
        ]

    def path(self, ref: ImageRef) -> Path:
        if ref.uri in self.gone:
            raise UnreadableImage("404")
        self.decoded.append(ref.uri)
        return Path(ref.uri)


def _digest(ref: ImageRef) -> str:
    return hashlib.sha256(Path(ref.uri).read_bytes()).hexdigest()
