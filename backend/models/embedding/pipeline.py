"""Embed many images in one pass: fetched, decoded and embedded at the same time.

    files --(one thread)--> digests --> cache --> backlog --(worker threads)--> vectors

The calling thread only reads and writes the cache and reports progress, so it can report twice a
second while other threads wait. Memory is bounded: each stage pulls from the one before.
"""

import threading
from collections.abc import Callable, Generator, Iterator, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty, Full, Queue
from time import monotonic

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.steps import Step
from backend.models.embedding.backlog import Backlog, Outcome, PendingImage
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.embedding.feature_writer import FeatureWriter
from backend.models.embedding.thread_clock import ThreadClock
from backend.models.embedding.workers import (
    BatchResult,
    EmbeddingWorker,
    RunningBatches,
    open_workers,
)
from backend.ports.images import ImageFiles

_AHEAD = 1000
"""Images fetched ahead of the cache look-up, and images of one look-up. Even a small image cache
must hold both."""

_HEARTBEAT = 0.5
"""Seconds after which an empty group is yielded when there is no news."""

_GATHER = 0.02
"""Seconds in which arrivals are gathered, so that one query asks the cache for many images."""

_GATHER_FIRST = 0.002
"""The same for the first images: no thread has anything to embed before they are looked up."""

Arrival = tuple[int, tuple[ImageRef, str] | NoPrediction]
"""A row, with its image and the digest of its content or the reason why there is none."""


@dataclass(frozen=True, slots=True)
class EmbeddingTools:
    """The parts of a pass; `encoder` is called once, and only if an image is not in the cache."""

    files: ImageFiles
    cache: FeatureCache
    encoder: Callable[[], Encoder]
    threads: int
    max_megapixels: float


def embed(
    refs: Sequence[ImageRef], tools: EmbeddingTools, seconds: MutableMapping[Step, float]
) -> Generator[Sequence[Outcome]]:
    """Yield the outcome of every row once, in groups and in any order.

    A group may be empty: one is yielded at least twice a second. Close the generator to stop early;
    it leaves no thread behind. The time spent is added to `seconds`: as FETCH while a thread has
    nothing to embed because the next file has not arrived, else as EMBED.

    Raises:
        NoWeights: when something must be embedded and the backbone's weights are missing.
        OutOfSpace: when there is no room for images or features.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1, "fetch") as fetcher, open_workers(tools.threads) as pool:
        writer = FeatureWriter(tools.cache)
        try:
            arrivals = _fetched(refs, tools.files, fetcher, stop)
            yield from _embedded(arrivals, tools, writer, pool, stop, seconds)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
            writer.flush()


def _fetched(
    refs: Sequence[ImageRef], files: ImageFiles, fetcher: ThreadPoolExecutor, stop: threading.Event
) -> Iterator[Sequence[Arrival]]:
    """Yield arrivals in groups; fetching runs in a thread of its own, since a file may be slow."""
    arrived: Queue[Arrival | None] = Queue(_AHEAD)
    fetching = fetcher.submit(_fetch, refs, files, arrived, stop)
    more, seconds = True, _GATHER_FIRST
    while more:
        group, more = _gathered(arrived, seconds)
        yield group
        seconds = _GATHER
    fetching.result()


def _fetch(
    refs: Sequence[ImageRef],
    files: ImageFiles,
    arrived: Queue[Arrival | None],
    stop: threading.Event,
) -> None:
    """Put every arrival into the queue, and None at the end or after an error."""
    try:
        for arrival in enumerate(files.digests(refs)):
            if not _put(arrived, arrival, stop):
                break
    finally:
        _put(arrived, None, stop)


def _put(arrived: Queue[Arrival | None], item: Arrival | None, stop: threading.Event) -> bool:
    """Wait for room in the queue; False when asked to stop."""
    while not stop.is_set():
        try:
            arrived.put(item, timeout=_HEARTBEAT)
        except Full:
            continue
        return True
    return False


def _gathered(arrived: Queue[Arrival | None], seconds: float) -> tuple[Sequence[Arrival], bool]:
    """Return the arrivals of so many seconds from the first one on, and whether more may come."""
    group: list[Arrival] = []
    deadline = monotonic() + _HEARTBEAT
    while len(group) < _AHEAD:
        try:
            item = arrived.get(timeout=max(0, deadline - monotonic()))
        except Empty:
            break
        if item is None:
            return group, False
        if not group:
            deadline = monotonic() + seconds
        group.append(item)
    return group, True


def _embedded(
    arrivals: Iterator[Sequence[Arrival]],
    tools: EmbeddingTools,
    writer: FeatureWriter,
    pool: ThreadPoolExecutor,
    stop: threading.Event,
    seconds: MutableMapping[Step, float],
) -> Iterator[Sequence[Outcome]]:
    backlog, running = Backlog(), RunningBatches(pool, tools.threads)
    worker: EmbeddingWorker | None = None
    clock = ThreadClock(tools.threads)
    started, fetched = monotonic(), seconds[Step.FETCH]
    for group in _waited_for(arrivals, clock, seconds):
        yield _looked_up(group, writer, backlog)
        if backlog and not worker:
            encoder = yield from _opened(pool.submit(tools.encoder))
            worker = EmbeddingWorker(tools.files, encoder, tools.max_megapixels, stop, clock)
        if worker:
            yield from _submitted(worker, backlog, running, writer)
            yield _stored(running.finished(0), writer, backlog)
    while worker and (running or backlog):
        yield _stored(running.finished(_HEARTBEAT), writer, backlog)
        yield from _submitted(worker, backlog, running, writer)
    seconds[Step.EMBED] += monotonic() - started - (seconds[Step.FETCH] - fetched)


def _waited_for(
    arrivals: Iterator[Sequence[Arrival]], clock: ThreadClock, seconds: MutableMapping[Step, float]
) -> Iterator[Sequence[Arrival]]:
    """Pass the arrivals on; adds the time in which threads waited for them to `seconds`."""
    idle = clock.idle_seconds()
    for group in arrivals:
        seconds[Step.FETCH] += clock.idle_seconds() - idle
        yield group
        idle = clock.idle_seconds()


def _looked_up(
    group: Sequence[Arrival], writer: FeatureWriter, backlog: Backlog
) -> Sequence[Outcome]:
    """Return the outcomes that are known already; the other images join the backlog."""
    outcomes: list[Outcome] = [
        (row, found) for row, found in group if isinstance(found, NoPrediction)
    ]
    images = [
        PendingImage(row, *found) for row, found in group if not isinstance(found, NoPrediction)
    ]
    known = writer.get(list({image.digest: None for image in images}))
    outcomes += [(image.row, known[image.digest]) for image in images if image.digest in known]
    backlog.add(image for image in images if image.digest not in known)
    return outcomes


def _opened(loading: Future[Encoder]) -> Generator[Sequence[Outcome], None, Encoder]:
    """Yield empty groups while the encoder loads, which takes seconds where it is exported."""
    while wait([loading], timeout=_HEARTBEAT).not_done:
        yield ()
    return loading.result()


def _submitted(
    worker: EmbeddingWorker, backlog: Backlog, running: RunningBatches, writer: FeatureWriter
) -> Iterator[Sequence[Outcome]]:
    """Submit the whole backlog; yields what is finished while all threads are busy."""
    while backlog:
        if size := running.next_size(len(backlog), worker.encoder.batch):
            running.submit(worker, backlog.take(size))
        else:
            yield _stored(running.finished(_HEARTBEAT), writer, backlog)


def _stored(results: BatchResult, writer: FeatureWriter, backlog: Backlog) -> Sequence[Outcome]:
    """Keep new entries, and turn the results into the outcomes of their rows."""
    writer.add({image.digest: entry for image, entry in results if isinstance(entry, Entry)})
    outcomes: list[Outcome] = []
    for image, result in results:
        if isinstance(result, Entry):
            outcomes += backlog.embedded(image.digest, result)
        else:
            outcomes.append(backlog.failed(image, result))
    return outcomes
