"""Images to a network and its boxes back: read ahead, batched by shape, in fractions."""

import os
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import ImageRef, Region, Regions
from backend.domain.geometry import clipped
from backend.domain.ids import Label
from backend.models.detection.engine import Found, Network
from backend.models.detection.letterbox import Letterboxed, letterbox
from backend.models.images.upright import read
from backend.ports.images import Fetch
from backend.ports.progress import Progress

BATCH = 16
READERS = min(8, os.cpu_count() or 1)
AHEAD = 4 * BATCH
"""Pictures read but not yet looked at; at 640 pixels about 80 MB."""


def find(
    network: Network,
    refs: Sequence[ImageRef],
    fetch: Fetch,
    labels: Sequence[Label],
    floor: float,
    progress: Progress,
) -> list[Regions]:
    """What the network finds in each image, best first, with no score below `floor`.

    A canvas has the shape of its picture, so that a wide picture costs no more than its pixels;
    only pictures of one shape share a batch, so that no answer depends on its neighbours.

    Raises:
        UnreadableImage: for the first image that cannot be read.
        Stopped: when `progress` says so.
    """
    answers: dict[int, Regions] = {}
    for batch in _batches(_images(refs, fetch, network.image_size)):
        progress("predict: finding boxes", len(answers), len(refs))
        founds = _detected(network, np.stack([image.canvas for _, image in batch]), floor)
        for (position, image), found in zip(batch, founds, strict=True):
            answers[position] = _regions(image, found, labels)
    progress("predict: finding boxes", len(answers), len(refs))
    return [answers[position] for position in range(len(refs))]


def _images(refs: Sequence[ImageRef], fetch: Fetch, size: int) -> Iterator[tuple[int, Letterboxed]]:
    """Read in the background, yield in order."""
    reading: deque[Future[Letterboxed]] = deque()
    position = 0
    with ThreadPoolExecutor(READERS) as readers:
        try:
            for ref in refs:
                reading.append(readers.submit(_open, fetch(ref), size))
                if len(reading) >= AHEAD:
                    yield position, reading.popleft().result()
                    position += 1
            while reading:
                yield position, reading.popleft().result()
                position += 1
        finally:
            readers.shutdown(cancel_futures=True)


def _open(path: Path, size: int) -> Letterboxed:
    return letterbox(read(path), size)


Batch = list[tuple[int, Letterboxed]]


def _batches(images: Iterator[tuple[int, Letterboxed]]) -> Iterator[Batch]:
    """Full batches of one shape; the largest half-full one when too many pictures wait."""
    waiting: defaultdict[tuple[int, ...], Batch] = defaultdict(list)
    for position, image in images:
        shape = image.canvas.shape
        waiting[shape].append((position, image))
        if len(waiting[shape]) == BATCH:
            yield waiting.pop(shape)
        elif sum(map(len, waiting.values())) >= AHEAD:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    yield from waiting.values()


def _detected(network: Network, canvases: NDArray[np.uint8], floor: float) -> list[Found]:
    from backend.models.detection.out_of_memory import with_smaller_batches  # noqa: PLC0415  imports torch

    def work(batch: int) -> list[Found]:
        parts = (canvases[start : start + batch] for start in range(0, len(canvases), batch))
        return [found for part in parts for found in network.detect(part, floor)]

    return with_smaller_batches(len(canvases), work)


def _regions(image: Letterboxed, found: Found, labels: Sequence[Label]) -> Regions:
    corners = image.to_fractions(found.boxes)
    rows = [
        _region(corners[row], labels[int(found.labels[row])], float(found.scores[row]))
        for row in np.argsort(-found.scores, kind="stable")
    ]
    return Regions(tuple(region for region in rows if region))


def _region(corners: NDArray[np.floating[Any]], label: Label, score: float) -> Region | None:
    box = clipped(*(float(corner) for corner in corners))
    return Region(box, label, min(1.0, score)) if box else None
