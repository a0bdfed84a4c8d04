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
        self.gate = threading.Event()
        self.gate.set()

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        for position, ref in enumerate(refs):
            if position:
                self.gate.wait(30)
            if ref.uri in self.gone:
                yield NoPrediction(ref.task, "404")
            else:
                yield ref, hashlib.sha256(Path(ref.uri).read_bytes()).hexdigest()

    def path(self, ref: ImageRef) -> Path:
        if ref.uri in self.gone:
            raise UnreadableImage("404")
        self.decoded.append(ref.uri)
        return Path(ref.uri)
