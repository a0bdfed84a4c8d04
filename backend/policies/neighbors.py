"""Nearest neighbours by cosine, in chunks that fit into memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats

CHUNK_CELLS = 16_000_000
"""Similarities held at once: 64 MB of float32."""

NEAR_IDENTICAL = 0.98
"""Cosine from which on two images show the same to a person who labels."""

CELL = 5000
"""Larger sets are cut into cells of at most so many vectors before looking for twins."""


def nearest(
    queries: Floats, keys: Floats, count: int, skip_self: bool = False
) -> tuple[NDArray[np.intp], Floats]:
    """Positions in `keys` and cosines of the nearest `count`, best first.

    Args:
        queries: (n, d), rows of length 1.
        keys: (m, d), rows of length 1.
        count: how many neighbours a query; fewer where `keys` are fewer.
        skip_self: `keys` are the `queries`; none is its own neighbour.

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
    """Cosines of some queries at a time to all keys; the array may be overwritten."""
    columns = np.ascontiguousarray(keys.astype(np.float32).T)
    step = max(1, CHUNK_CELLS // max(1, len(keys)))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        yield rows, queries[rows].astype(np.float32) @ columns


def twins(vectors: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """(n, count) the nearest other vectors and their cosines, best first; -1 where there is none.

    Exact up to CELL vectors. Larger sets are halved along their main direction until they fit, so
    that a pair may be missed where a cut runs between the two.
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
    """The direction of largest spread, roughly: a few steps of the power method."""
    centered = vectors.astype(np.float32)
    centered -= centered.mean(axis=0)
    direction = centered[np.abs(centered).sum(axis=1).argmax()]
    for _ in range(5):
        direction = centered.T @ (centered @ direction)
        direction /= max(float(np.linalg.norm(direction)), 1e-12)
    return direction
