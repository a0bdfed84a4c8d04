"""Propagate labels over a neighbour graph of images.

Zhou et al., Learning with Local and Global Consistency (2004), solved by conjugate gradients.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats

BLOCK = 2048
"""Rows of the similarity matrix held at a time."""


def neighbour_graph(features: Floats, neighbours: int, throttled: Callable[[], None]) -> Any:
    """Return the normalised adjacency D^-1/2 W D^-1/2 of nearest neighbours, sparse (n, n).

    Weights are cosines of centred features to the third power (Iscen et al. 2019).

    Args:
        features: (n, d), any dtype.
        neighbours: of each image, not counting itself.
        throttled: called once a block of rows.
    """
    sparse = cast(Any, import_module("scipy.sparse"))  # prediction needs no SciPy
    count = min(neighbours, len(features) - 1)
    near, cosines = _nearest(_centred(features), count, throttled)
    rows = np.repeat(np.arange(len(features)), count)
    shape = (len(features), len(features))
    weights = np.clip(cosines.ravel(), 0, None) ** 3
    one_sided = sparse.csr_matrix((weights, (rows, near.ravel())), shape=shape)
    graph = one_sided.maximum(one_sided.T)
    degree: Floats = np.asarray(graph.sum(axis=1)).ravel()
    scale = sparse.diags(1 / np.sqrt(np.maximum(degree, 1e-12)))
    return (scale @ graph @ scale).tocsr().astype(np.float32)


def spread(graph: Any, seeds: Floats, alpha: float, steps: int = 50) -> Floats:
    """Solve (I - alpha * graph) F = seeds for F (n, K), all columns at once.

    Args:
        graph: from `neighbour_graph`.
        seeds: (n, K), zero for images without a label.
        alpha: in (0, 1); higher values propagate farther.
        steps: the most steps of conjugate gradients.
    """
    solution = np.zeros_like(seeds, dtype=np.float32)
    residual = seeds.astype(np.float32)
    direction = residual.copy()
    size = (residual**2).sum(axis=0)
    enough = 1e-8 * np.maximum(size, 1e-12)
    for _ in range(steps):
        if (size <= enough).all():
            break
        moved = direction - alpha * (graph @ direction)
        length = size / np.maximum((direction * moved).sum(axis=0), 1e-20)
        solution += length * direction
        residual -= length * moved
        smaller = (residual**2).sum(axis=0)
        direction = residual + smaller / np.maximum(size, 1e-20) * direction
        size = smaller
    return solution


def _centred(features: Floats) -> Floats:
    rows = features.astype(np.float32)
    rows -= rows.mean(axis=0)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _nearest(
    rows: Floats, count: int, throttled: Callable[[], None]
) -> tuple[NDArray[np.intp], Floats]:
    """Return the `count` nearest other rows of each row, (n, count), and their cosines."""
    near = np.empty((len(rows), count), dtype=np.intp)
    cosines = np.empty((len(rows), count), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        part = np.arange(start, min(start + BLOCK, len(rows)))
        throttled()
        table = rows[part] @ rows.T
        table[part - start, part] = -2
        near[part] = np.argpartition(-table, count - 1, axis=1)[:, :count]
        cosines[part] = np.take_along_axis(table, near[part], axis=1)
    return near, cosines
