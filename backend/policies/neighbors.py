"""Nearest neighbours by cosine, in chunks that fit into memory.

scikit-learn's NearestNeighbors is no faster and takes up to 1.9 GB for 50,000 float16 vectors: see
docs/decisions/own-metrics-clusters-and-tails.md.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats

CHUNK_CELLS = 16_000_000
"""Similarities held at once: 64 MB of float32."""

NEAR_IDENTICAL = 0.98
"""Least cosine at which two images look the same to an annotator."""

CELL = 5000
"""Larger sets are split into cells of at most this many vectors before searching twins."""


def nearest(
    queries: Floats, keys: Floats, count: int, skip_self: bool = False
) -> tuple[NDArray[np.intp], Floats]:
    """Return positions in `keys` and cosines of the nearest `count`, best first.

    Args:
        queries: (n, d), rows of length 1.
        keys: (m, d), rows of length 1.
        count: neighbours of each query; fewer if there are fewer `keys`.
        skip_self: `keys` are the `queries`, and none is its own neighbour.

    Returns:
        Two arrays (n, k) with k at most `count`.
    """
    k = max(0, min(count, len(keys) - skip_self))
    positions = np.zeros((len(queries), k), dtype=np.intp)
    cosines = np.zeros((len(queries), k), dtype=np.float32)
    if not k:
        return positions, cosines
    for rows, similarity in similarities(queries, keys):
        if skip_self:
            similarity[np.arange(len(similarity)), np.arange(rows.start, rows.stop)] = -np.inf
        top = np.argpartition(similarity, -k, axis=1)[:, -k:]
        found = np.take_along_axis(similarity, top, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        positions[rows] = np.take_along_axis(top, order, axis=1)
        cosines[rows] = np.take_along_axis(found, order, axis=1)
    return positions, cosines


def similarities(queries: Floats, keys: Floats) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the cosines of a few queries to all keys; the caller may overwrite the array."""
    columns = np.ascontiguousarray(keys.astype(np.float32).T)
    step = max(1, CHUNK_CELLS // max(1, len(keys)))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        yield rows, queries[rows].astype(np.float32) @ columns


def twins(vectors: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Return (n, count) the nearest other vectors and their cosines, best first; -1 if none.

    Exact up to CELL vectors. Larger sets are halved along their main direction until they fit, so
    a pair on both sides of a cut may be missed.
    """
    near = np.full((len(vectors), count), -1, dtype=np.intp)
    cosine = np.full((len(vectors), count), -1.0)
    for rows in _cells(vectors, np.arange(len(vectors))):
        found, how_near = nearest(vectors[rows], vectors[rows], count, skip_self=True)
        near[rows, : found.shape[1]] = rows[found]
        cosine[rows, : found.shape[1]] = how_near
    return near, cosine


def _cells(vectors: Floats, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    if len(rows) <= CELL:
        yield rows
        return
    direction = _main_direction(vectors[rows[:CELL]])
    parts = (rows[start : start + CELL] for start in range(0, len(rows), CELL))
    along = np.concatenate([vectors[part].astype(np.float32) @ direction for part in parts])
    half = np.argsort(along, kind="stable")
    middle = len(rows) // 2
    yield from _cells(vectors, rows[half[:middle]])
    yield from _cells(vectors, rows[half[middle:]])


def _main_direction(vectors: Floats) -> Floats:
    """Approximate the direction of largest variance by a few steps of the power method."""
    centered = vectors.astype(np.float32)
    centered -= centered.mean(axis=0)
    direction = centered[np.abs(centered).sum(axis=1).argmax()]
    for _ in range(5):
        direction = centered.T @ (centered @ direction)
        direction /= max(float(np.linalg.norm(direction)), 1e-12)
    return direction
