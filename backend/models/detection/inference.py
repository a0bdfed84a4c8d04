"""Run a network on image files: read ahead, batch by shape, return boxes as fractions.

A network that several threads call gets no batches: each thread reads an image and runs it.
"""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from backend.domain.answers import ImageRef, Region, Regions
from backend.domain.arrays import Floats
from backend.domain.geometry import clipped
from backend.domain.ids import Label
from backend.domain.steps import Step
from backend.models.detection.engine import Callers, Detections, Network, PixelBatch
from backend.models.detection.letterbox import Letterboxed, letterbox
from backend.models.detection.out_of_memory import with_smaller_batches
from backend.models.images.upright import reading
from backend.ports.images import Fetch
from backend.ports.progress import Progress

BATCH = 16
READERS = min(8, os.cpu_count() or 1)
AHEAD = 4 * BATCH
"""Images that may be in memory, read and not yet passed to the network; 80 MB at 640 pixels."""

Positioned = tuple[int, Letterboxed]
"""An image with its position among those asked for."""

Searched = tuple[int, Letterboxed, Detections]
"""The same with what the network found in it."""

Found = TypeVar("Found")


def detect(
    network: Network,
    refs: Sequence[ImageRef],
    fetch: Fetch,
    labels: Sequence[Label],
    min_score: float,
    progress: Progress,
) -> list[Regions]:
    """Detect the boxes of each image, best score first, down to `min_score`.

    Images are padded only to the stride, so a wide image costs no more than its pixels. Only
    images of one shape share a batch, so no result depends on its neighbours.

    Raises:
        UnreadableImage: for the first image that cannot be fetched or decoded.
        Stopped: when `progress` raises it.
    """
    callers = network.callers if len(refs) > 1 else None
    searched = (
        _one_by_one(callers, network.image_size, refs, fetch, min_score)
        if callers
        else _batch_by_batch(network, refs, fetch, min_score)
    )
    results: dict[int, Regions] = {}
    progress(Step.PREDICT, 0, len(refs), "finding boxes")
    for position, image, detected in searched:
        results[position] = _regions(image, detected, labels)
        progress(Step.PREDICT, len(results), len(refs), "finding boxes")
    return [results[position] for position in range(len(refs))]


def _batch_by_batch(
    network: Network, refs: Sequence[ImageRef], fetch: Fetch, min_score: float
) -> Iterator[Searched]:
    """Read ahead, and give the network batches of one shape."""
    images = enumerate(
        _in_threads(refs, fetch, READERS, lambda path: _open(path, network.image_size))
    )
    for batch in _batches(images):
        detections = _detect(network, np.stack([image.pixels for _, image in batch]), min_score)
        for (position, image), detected in zip(batch, detections, strict=True):
            yield position, image, detected


def _one_by_one(
    callers: Callers, image_size: int, refs: Sequence[ImageRef], fetch: Fetch, min_score: float
) -> Iterator[Searched]:
    """Let each thread take an image from its file to its boxes: none waits for the others."""

    def work(path: Path) -> tuple[Letterboxed, Detections]:
        image = _open(path, image_size)
        (detected,) = callers.detect(image.pixels[np.newaxis], min_score)
        return image, detected

    for position, found in enumerate(_in_threads(refs, fetch, callers.threads, work)):
        yield position, *found


def _in_threads(
    refs: Sequence[ImageRef], fetch: Fetch, threads: int, work: Callable[[Path], Found]
) -> Iterator[Found]:
    """Fetch in order, work on the files in threads, and yield in order."""
    ahead: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for ref in refs:
                ahead.append(pool.submit(work, fetch(ref)))
                if len(ahead) >= AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _open(path: Path, image_size: int) -> Letterboxed:
    with reading(path) as pixels:
        return letterbox(pixels, image_size)


def _batches(images: Iterator[Positioned]) -> Iterator[list[Positioned]]:
    """Group images of one shape; flush the largest group when `AHEAD` images wait."""
    waiting: defaultdict[tuple[int, ...], list[Positioned]] = defaultdict(list)
    for position, image in images:
        shape = image.pixels.shape
        waiting[shape].append((position, image))
        if len(waiting[shape]) == BATCH:
            yield waiting.pop(shape)
        elif sum(map(len, waiting.values())) >= AHEAD:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    yield from waiting.values()


def _detect(network: Network, pixels: PixelBatch, min_score: float) -> list[Detections]:
    def detect_by(size: int) -> list[Detections]:
        parts = (pixels[start : start + size] for start in range(0, len(pixels), size))
        return [detected for part in parts for detected in network.detect(part, min_score)]

    return with_smaller_batches(len(pixels), detect_by)


def _regions(image: Letterboxed, detected: Detections, labels: Sequence[Label]) -> Regions:
    corners = image.to_fractions(detected.boxes)
    rows = [
        _region(corners[row], labels[int(detected.labels[row])], float(detected.scores[row]))
        for row in np.argsort(-detected.scores, kind="stable")
    ]
    return Regions(tuple(region for region in rows if region))


def _region(corners: Floats, label: Label, score: float) -> Region | None:
    box = clipped(*(float(corner) for corner in corners))
    return Region(box, label, min(1.0, score)) if box else None
