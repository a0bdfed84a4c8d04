"""Threads that each decode a batch of images and embed it."""

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from backend.domain.errors import UnreadableImage
from backend.models.embedding.backlog import PendingImage
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.feature_cache import Entry
from backend.models.embedding.thread_clock import ThreadClock
from backend.models.images.thumbnails import Thumbnail, decode
from backend.ports.images import ImageFiles

_NICENESS = 5

BatchResult = Sequence[tuple[PendingImage, Entry | str]]
"""The features of each image of a batch, or the reason why it could not be read."""


@dataclass(frozen=True, slots=True)
class EmbeddingWorker:
    """The work of one batch; may be called by several threads at once."""

    files: ImageFiles
    encoder: Encoder
    max_megapixels: float
    stop: threading.Event
    clock: ThreadClock

    def __call__(self, batch: Sequence[PendingImage]) -> BatchResult:
        """Return one result for each image; none at all when asked to stop."""
        decoded: list[tuple[PendingImage, Thumbnail]] = []
        unreadable: list[tuple[PendingImage, str]] = []
        for image in batch:
            if self.stop.is_set():
                return []
            try:
                path = self.files.path(image.ref)  # fetched again if the cache dropped it
                with self.clock.busy():
                    decoded.append((image, decode(path, self.encoder.side, self.max_megapixels)))
            except UnreadableImage as exc:
                unreadable.append((image, str(exc)))
        with self.clock.busy():
            return [*unreadable, *self._embedded(decoded)]

    def _embedded(
        self, decoded: Sequence[tuple[PendingImage, Thumbnail]]
    ) -> Iterable[tuple[PendingImage, Entry]]:
        if not decoded:
            return
        vectors = self.encoder.embed(np.stack([thumbnail.pixels for _, thumbnail in decoded]))
        for (image, thumbnail), vector in zip(decoded, vectors, strict=True):
            yield image, Entry(vector, thumbnail.image_stats, thumbnail.notes)


class RunningBatches:
    """Batches in flight: two a thread at most, so that memory is bounded and no thread idles."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self._pool = pool
        self._threads = threads
        self._futures: set[Future[BatchResult]] = set()

    def __len__(self) -> int:
        return len(self._futures)

    def next_size(self, waiting: int, full: int) -> int:
        """Return the size of the next batch, or 0 while there is no need for another.

        Full batches are queued ahead. A last, smaller rest is divided among idle threads.
        """
        idle = max(0, self._threads - len(self))
        if not idle and (waiting < full or len(self) >= 2 * self._threads):
            return 0
        return min(full, max(1, waiting // max(1, idle)))

    def submit(self, worker: EmbeddingWorker, batch: Sequence[PendingImage]) -> None:
        self._futures.add(self._pool.submit(worker, batch))

    def finished(self, timeout: float) -> BatchResult:
        """Return the results that have come in; waits up to `timeout` seconds for the first one.

        Raises what a worker raised.
        """
        done, self._futures = wait(self._futures, timeout, FIRST_COMPLETED)
        return [result for future in done for result in future.result()]


def open_workers(threads: int) -> ThreadPoolExecutor:
    """Start threads of low priority, so that a web process on this machine stays responsive."""
    return ThreadPoolExecutor(threads, "embed", initializer=_lower_priority)


def _lower_priority() -> None:
    """Lower the priority of this thread; one that is lower already stays, as raising is denied."""
    if sys.platform == "linux":  # where a priority belongs to a thread
        thread = threading.get_native_id()
        niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
