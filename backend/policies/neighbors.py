"""Nearest neighbours by cosine, in chunks that fit into memory.

scikit-learn's NearestNeighbors is no faster and takes up to 1.9 GB for 50,000 float16 vectors: see
docs/decisions/own-metrics-clusters-and-tails.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Rows, to_float32
from backend.domain.large_arrays import take

CHUNK_CELLS = 16_000_000
"""Similarities held at once: 64 MB of float32."""

CHUNK_QUERIES = 4096
"""Queries in float32 at once: 21 MB of 1,280 numbers each. Where there are few keys, their
similarities would leave room for all."""

NEAR_IDENTICAL = 0.98
"""Least cosine at which two images look the same to an annotator."""

CELL = 16_000
"""Larger sets are split into cells of at most this many vectors before searching twins."""

DIRECTIONS, SAMPLE = 96, 256
"""How many main directions of how many vectors bound the cosines."""

ROUNDING = 2e-3
"""Largest error of a bound: vectors are stored as float16."""

BOUNDED = 256
"""Vectors whose cosines are bounded at once: their bounds fit into a processor's cache."""

MOST_CANDIDATES = 10
"""Pairs for each vector up to which they are looked at one by one."""


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
    for rows, similarity in similarities(queries, keys, skip_self):
        positions[rows], cosines[rows] = largest(similarity, k)
    return positions, cosines


def similarities(
    queries: Floats, keys: Floats, skip_self: bool = False
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the cosines of a few queries to all keys; the caller may overwrite the array.

    `skip_self`: `keys` are the `queries`, and the cosine of each to itself is -inf.
    """
    columns = np.ascontiguousarray(to_float32(keys).T)
    step = min(CHUNK_QUERIES, max(1, CHUNK_CELLS // max(1, len(keys))))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        similarity = to_float32(queries[rows]) @ columns
        if skip_self:
            similarity[np.arange(len(similarity)), np.arange(rows.start, rows.stop)] = -np.inf
        yield rows, similarity


def largest(
    values: NDArray[np.float32], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return columns and values (n, count) of the largest of each row, best first.

    Overwrites `values` (n, m), m at least `count`. A few passes take less time than a partition.
    """
    columns = np.empty((len(values), count), dtype=np.intp)
    found = np.empty((len(values), count), dtype=np.float32)
    rows = np.arange(len(values))
    for rank in range(count):
        column = values.argmax(axis=1)
        columns[:, rank], found[:, rank] = column, values[rows, column]
        values[rows, column] = -np.inf
    return columns, found


@dataclass(frozen=True, slots=True)
class _Stack:
    """Arrays (n_i, d) one above the other; all of them joined would take as much memory again."""

    parts: Sequence[Floats]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def take(self, rows: Rows) -> Floats:
        """Return (k, d) these rows, counted from the top of the first array."""
        taken = np.empty((len(rows), self.parts[0].shape[1]), dtype=self.parts[0].dtype)
        start = 0
        for part in self.parts:
            inside = (rows >= start) & (rows < start + len(part))
            taken[inside] = take(part, rows[inside] - start)
            start += len(part)
        return taken


def twins(vectors: Sequence[Floats], count: int) -> tuple[NDArray[np.intp], Floats]:
    """Find near-identical vectors.

    Exact up to CELL vectors. Larger sets are halved along their main direction until they fit, so a
    pair on both sides of a cut may be missed.

    Args:
        vectors: arrays (n_i, d), rows of length 1. Rows are counted on from one to the next.
        count: neighbours of each vector at most.

    Returns:
        Rows (n, count) of the nearest near-identical others and their cosines, best first; -1 where
        there are no more.
    """
    stack = _Stack(vectors)
    near = np.full((len(stack), count), -1, dtype=np.intp)
    cosine = np.full((len(stack), count), -1.0)
    for rows in _cells(stack, np.arange(len(stack))):
        cell = stack.take(rows)
        if (pairs := _candidates(cell)) is None:
            found, how_near = nearest(cell, cell, count, skip_self=True)
        else:
            found, how_near = _nearest_of(cell, *pairs, count)
        which, rank = np.nonzero(how_near >= NEAR_IDENTICAL)
        near[rows[which], rank] = rows[found[which, rank]]
        cosine[rows[which], rank] = how_near[which, rank]
    return near, cosine


def _candidates(vectors: Floats) -> tuple[Rows, Rows] | None:
    """Return pairs of rows, each once, among them all that are near-identical; None if too many.

    With x = p + r and y = q + s, where p and q lie in a few directions and r and s are orthogonal
    to these, the cosine x y is at most p q + |r| |s| (Cauchy-Schwarz): a product of far shorter
    vectors.
    """
    short = _shortened(vectors)
    columns = np.ascontiguousarray(short.T)
    ones, others, many = list[Rows](), list[Rows](), 0
    for start in range(0, len(short), BOUNDED):
        bound = short[start : start + BOUNDED] @ columns[:, start:]  # pairs with rows before: done
        high = np.flatnonzero(bound >= NEAR_IDENTICAL - ROUNDING)
        one, other = np.divmod(high, bound.shape[1])
        later = other > one
        ones.append(one[later] + start)
        others.append(other[later] + start)
        many += len(ones[-1])
        if many > MOST_CANDIDATES * len(vectors):
            return None
    return np.concatenate(ones), np.concatenate(others)


def _shortened(vectors: Floats) -> Floats:
    """Return (n, DIRECTIONS + 1): components along the main directions, and the length left.

    The directions are singular vectors of a sample, far enough from zero to be orthogonal.
    """
    some = vectors[:: max(1, len(vectors) // SAMPLE)].astype(np.float64)
    strength, mixture = np.linalg.eigh(some @ some.T)
    main = strength[-DIRECTIONS:] > 1e-6 * strength[-1]
    basis = some.T @ (mixture[:, -DIRECTIONS:][:, main] / np.sqrt(strength[-DIRECTIONS:][main]))
    directions = basis.astype(np.float32)
    short = np.empty((len(vectors), directions.shape[1] + 1), dtype=np.float32)
    for start in range(0, len(vectors), BOUNDED):
        part = to_float32(vectors[start : start + BOUNDED])
        inside = part @ directions
        left = np.einsum("ij,ij->i", part, part) - np.einsum("ij,ij->i", inside, inside)
        short[start : start + len(part)] = np.column_stack([inside, np.sqrt(left.clip(0))])
    return short


def _nearest_of(
    vectors: Floats, one: Rows, other: Rows, count: int
) -> tuple[NDArray[np.intp], Floats]:
    """Return what `nearest` does, only among these pairs of rows; -1 where there are no more."""
    cosines = np.empty(len(one), dtype=np.float32)
    for start in range(0, len(one), CELL // 4):
        pair = slice(start, start + CELL // 4)
        left, right = (to_float32(vectors[side[pair]]) for side in (one, other))
        cosines[pair] = np.einsum("ij,ij->i", left, right)
    one, other = np.concatenate([one, other]), np.concatenate([other, one])
    cosines = np.tile(cosines, 2)
    order = np.lexsort((-cosines, one))
    one, other, cosines = one[order], other[order], cosines[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    best = rank < count
    near = np.full((len(vectors), count), -1, dtype=np.intp)
    cosine = np.full((len(vectors), count), -1, dtype=np.float32)
    near[one[best], rank[best]] = other[best]
    cosine[one[best], rank[best]] = cosines[best]
    return near, cosine


def _cells(vectors: _Stack, rows: Rows) -> Iterator[Rows]:
    if len(rows) <= CELL:
        if len(rows) > 1:
            yield rows
        return
    direction = _main_direction(vectors.take(rows[:CELL]))
    parts = (rows[start : start + CELL] for start in range(0, len(rows), CELL))
    along = np.concatenate([to_float32(vectors.take(part)) @ direction for part in parts])
    half = np.argsort(along, kind="stable")
    middle = len(rows) // 2
    yield from _cells(vectors, rows[half[:middle]])
    yield from _cells(vectors, rows[half[middle:]])


def _main_direction(vectors: Floats) -> Floats:
    """Approximate the direction of largest variance by a few steps of the power method."""
    centered = vectors.astype(np.float32)
    centered -= centered.mean(axis=0)
    parts = np.array_split(centered, 16)  # so that only a small copy is held
    direction = centered[np.concatenate([np.abs(part).sum(axis=1) for part in parts]).argmax()]
    for _ in range(5):
        direction = centered.T @ (centered @ direction)
        direction /= max(float(np.linalg.norm(direction)), 1e-12)
    return direction
