"""Lanes: threads that each decode a batch of images and embed it."""

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import ImageRef
from backend.domain.errors import UnreadableImage
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.feature_cache import Entry
from backend.models.images.thumbnails import Thumbnail, decode
from backend.ports.images import ImageFiles


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image whose vector is to be computed for a row of the answer."""

    row: int
    ref: ImageRef
    digest: str


Outcome = tuple[Waiting, Entry | str]
"""What is known of an image now, or why nothing is."""


@dataclass(frozen=True, slots=True)
class EmbeddingWorker:
    """The work of one batch; what it needs is shared by all lanes."""

    files: ImageFiles
    encoder: Encoder
    max_megapixels: float
    stop: threading.Event

    def __call__(self, batch: Sequence[Waiting]) -> Sequence[Outcome]:
        """One outcome an image; none at all when asked to stop."""
        seen: list[tuple[Waiting, Thumbnail]] = []
        unreadable: list[Outcome] = []
        for waiting in batch:
            if self.stop.is_set():
                return []
            try:
                path = self.files.path(waiting.ref)
                seen.append((waiting, decode(path, self.encoder.side, self.max_megapixels)))
            except UnreadableImage as exc:
                unreadable.append((waiting, str(exc)))
        return [*unreadable, *self._embedded(seen)]

    def _embedded(self, seen: Sequence[tuple[Waiting, Thumbnail]]) -> Iterable[Outcome]:
        if not seen:
            return
        vectors = self.encoder.embed(np.stack([thumbnail.pixels for _, thumbnail in seen]))
        for (waiting, thumbnail), vector in zip(seen, vectors, strict=True):
            yield waiting, Entry(vector, thumbnail.image_stats, thumbnail.notes)


def open_workers(threads: int) -> ThreadPoolExecutor:
    """Threads that give way to the rest of the machine: a page is served before a batch."""
    return ThreadPoolExecutor(threads, "embed", initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # where priorities belong to threads
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
