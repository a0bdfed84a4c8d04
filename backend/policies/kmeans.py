"""Spherical k-means: cluster unit vectors by cosine (Dhillon & Modha 2001).

scikit-learn's KMeans takes four to six times as long for the same result, see
docs/decisions/own-metrics-clusters-and-tails.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, to_float32
from backend.domain.large_arrays import take
from backend.policies.neighbors import nearest

FIT_ON = 20_000
"""Centers are fitted on a random sample of at most this many vectors."""

ROUNDS = 25


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of n vectors.

    `of` (n,) is the cluster index of each, `nearness` (n,) the cosine to the center of that one;
    `centers` (k, d), rows of length 1.
    """

    of: NDArray[np.intp]
    nearness: Floats
    centers: Floats


def kmeans(vectors: Floats, count: int, rng: np.random.Generator) -> Clusters:
    """Return at most `count` clusters, largest first, none empty."""
    count = min(count, len(vectors))
    if not count:
        none = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.float32)
        return Clusters(*none, np.zeros((0, vectors.shape[1])))
    fit_on = _sample(vectors, rng)
    centers = _initial_centers(fit_on, count, rng)
    before = np.full(len(fit_on), -1)
    for _ in range(ROUNDS):
        of = nearest(fit_on, centers, 1)[0][:, 0]
        if np.array_equal(of, before):
            break
        before, centers = of, _means(fit_on, of, centers)
    nearest_centers, cosines = nearest(vectors, centers, 1)
    return _largest_first(nearest_centers[:, 0], cosines[:, 0], centers)


def _sample(vectors: Floats, rng: np.random.Generator) -> Floats:
    if len(vectors) <= FIT_ON:
        return to_float32(vectors)
    rows = np.sort(rng.choice(len(vectors), FIT_ON, replace=False))
    return to_float32(take(vectors, rows))


def _initial_centers(vectors: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Choose starting centers far from each other (k-means++, Arthur & Vassilvitskii 2007)."""
    chosen = [int(rng.integers(len(vectors)))]
    distance = np.full(len(vectors), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, 1 - vectors @ vectors[chosen[-1]]).clip(0)
        distance[chosen] = 0
        total = distance.sum()
        even = np.full(len(vectors), 1 / len(vectors))
        chosen.append(int(rng.choice(len(vectors), p=distance / total if total > 0 else even)))
    return vectors[chosen]


def _means(vectors: Floats, of: NDArray[np.intp], centers: Floats) -> Floats:
    """Return the direction of each cluster's mean; an empty cluster keeps its center."""
    sums = np.zeros_like(centers)
    np.add.at(sums, of, vectors)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centers)


def _largest_first(of: NDArray[np.intp], nearness: Floats, centers: Floats) -> Clusters:
    sizes = np.bincount(of, minlength=len(centers))
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    number = np.zeros(len(centers), dtype=np.intp)
    number[order] = np.arange(len(order))
    return Clusters(number[of], nearness, centers[order])
