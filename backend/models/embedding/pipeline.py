"""One pass over many images: fetched, decoded and embedded at the same time, in bounded memory.

    files --(one thread)--> digests --> cache --> what is missing --(lanes)--> vectors

The thread that asks only looks up, stores and reports, so it can report every second, whatever
the others wait for.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.steps import Step
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.embedding.workers import EmbeddingWorker, Outcome, Waiting, open_workers
from backend.ports.images import ImageFiles
from backend.ports.progress import Progress

_AHEAD = 2000
"""How many images are fetched before their turn; even a small image cache must hold them."""

_PATIENCE = 0.5
"""Seconds between two reports while nothing happens."""

_GATHER = 0.02
"""Seconds to wait for company, so that the cache is asked for many images at once."""

Found = tuple[ImageRef, str] | NoPrediction
Event = tuple[int, Found] | Future[Sequence[Outcome]] | Future[None]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a pass works with."""

    files: ImageFiles
    cache: FeatureCache
    encoder: Callable[[], Encoder]
    threads: int
    max_megapixels: float


class Embedding:
    """One pass over `refs`: each row is handed to `known` or to `failed` once, in any order."""

    def __init__(
        self,
        refs: Sequence[ImageRef],
        workshop: Workshop,
        progress: Progress,
        known: Callable[[int, Entry], None],
        failed: Callable[[int, str], None],
    ) -> None:
        self._refs = refs
        self._workshop = workshop
        self._progress = progress
        self._known = known
        self._failed = failed
        self._done = 0
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._ahead = threading.Semaphore(_AHEAD)
        self._stop = threading.Event()
        self._fed = threading.Event()
        self._audit: EmbeddingWorker | None = None
        self._todo: deque[Waiting] = deque()
        self._same: dict[str, list[Waiting]] = {}
        self._busy = 0
        self.seconds = {Step.FETCH: 0.0, Step.EMBED: 0.0}

    def run(self) -> None:
        """Raises whatever `progress` raises, and leaves no thread behind."""
        with (
            ThreadPoolExecutor(1, "fetch") as feeder,
            open_workers(self._workshop.threads) as audits,
        ):
            try:
                self._announced(feeder.submit(self._feed))
                while self._done < len(self._refs):
                    self._turn(audits)
                self._report()
            finally:
                self._stop.set()
                audits.shutdown(cancel_futures=True)

    def _feed(self) -> None:
        """Runs in a thread of its own, since a file may be slow to come."""
        found = self._workshop.files.digests(self._refs)
        for arrival in zip(range(len(self._refs)), found, strict=True):
            while not self._ahead.acquire(timeout=_PATIENCE) and not self._stop.is_set():
                pass
            if self._stop.is_set():
                break
            self._events.put(arrival)
        self._fed.set()

    def _turn(self, audits: ThreadPoolExecutor) -> None:
        started, waits_for = monotonic(), Step.EMBED if self._busy else Step.FETCH
        self._report()
        events = self._gathered()
        self.seconds[waits_for] += monotonic() - started
        started = monotonic()
        self._arrive([event for event in events if isinstance(event, tuple)])
        self._settle([event for event in events if not isinstance(event, tuple)])
        self._employ(audits)
        self.seconds[Step.EMBED] += monotonic() - started

    def _gathered(self) -> Sequence[Event]:
        try:
            events = [self._events.get(timeout=_PATIENCE)]
        except Empty:
            return []
        self._fed.wait(_GATHER)
        with suppress(Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def _arrive(self, arrivals: Sequence[tuple[int, Found]]) -> None:
        waiting: list[Waiting] = []
        for row, found in arrivals:
            if isinstance(found, NoPrediction):
                self._finish(row, found.reason)
            else:
                waiting.append(Waiting(row, *found))
        for image in waiting:
            self._same.setdefault(image.digest, []).append(image)
        digests = list({image.digest: None for image in waiting})
        for digest, entry in self._workshop.cache.get(digests):
            self._share(digest, entry)
        self._todo.extend(self._firsts(waiting))

    def _firsts(self, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        """Those that no equal image, here or in a lane, will answer for."""
        same = self._same
        return [image for image in waiting if same.get(image.digest, [None])[0] is image]

    def _settle(self, settled: Sequence[Future[Sequence[Outcome]] | Future[None]]) -> None:
        fresh: dict[str, Entry] = {}
        for future in settled:
            outcomes = future.result()
            if outcomes is None:  # the feeder's, which has nothing more to say
                continue
            self._busy -= 1
            for image, outcome in outcomes:
                if isinstance(outcome, Entry):
                    fresh[image.digest] = outcome
                else:
                    self._give_up(image, outcome)
        if fresh:
            self._workshop.cache.put(fresh)
        for digest, entry in fresh.items():
            self._share(digest, entry)

    def _share(self, digest: str, entry: Entry) -> None:
        for image in self._same.pop(digest, ()):
            self._finish(image.row, entry)

    def _give_up(self, image: Waiting, reason: str) -> None:
        """On this row only: an equal image at another address may still be had."""
        self._finish(image.row, reason)
        others = self._same[image.digest][1:]
        if others:
            self._same[image.digest] = others
            self._todo.append(others[0])
        else:
            del self._same[image.digest]

    def _finish(self, row: int, outcome: Entry | str) -> None:
        if isinstance(outcome, Entry):
            self._known(row, outcome)
        else:
            self._failed(row, outcome)
        self._done += 1
        self._ahead.release()

    def _employ(self, audits: ThreadPoolExecutor) -> None:
        """Full batches at once; what is left over is shared out when lanes would be idle."""
        if not self._todo:
            return
        audit = self._audit = self._audit or self._opened(audits)
        threads, full = self._workshop.threads, audit.encoder.batch
        while self._todo and (len(self._todo) >= full or self._busy < threads):
            size = min(full, max(1, len(self._todo) // max(1, threads - self._busy)))
            batch = [self._todo.popleft() for _ in range(size)]
            self._announced(audits.submit(audit, batch))
            self._busy += 1

    def _opened(self, audits: ThreadPoolExecutor) -> EmbeddingWorker:
        """Reports while the encoder loads, which takes seconds where it is exported first."""
        loading = audits.submit(self._workshop.encoder)
        while wait([loading], timeout=_PATIENCE).not_done:
            self._report()
        workshop = self._workshop
        return EmbeddingWorker(
            workshop.files, loading.result(), workshop.max_megapixels, self._stop
        )

    def _announced(self, future: Future[Any]) -> None:
        future.add_done_callback(self._events.put)

    def _report(self) -> None:
        self._progress(Step.EMBED, self._done, len(self._refs))
