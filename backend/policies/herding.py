"""Pick images greedily so that they cover the uncertain ones.

Uncertainty Herding (Bae, Noh & Sutherland, ICLR 2025, arXiv 2412.20644): each pick adds most to
sum_x u(x) max_s k(x, s), with u the uncertainty and k a Gaussian kernel about picked and labeled
images. Without a model u is 1 and the picks are the typical images of the pool (MaxHerding).
"""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Rows
from backend.policies.near_duplicates import looks_like
from backend.policies.neighbors import NEAR_IDENTICAL, nearest

REFERENCE = 5000
"""Coverage is summed over a random sample of at most this many images."""

TYPICAL = 1000
"""The kernel's width is a median over this many of them."""

REACH_BLIND, REACH = 0.9, 2 / 3
"""Kernel width without a model and with one, in units of the distance within which an image has
its fair share of all: one over the number of labeled and picked ones. So the kernel narrows as
labels come in. See the decision record."""


@dataclass(frozen=True, slots=True)
class Pool:
    """`features` (n, d) and `uncertainty` (n,) of the images to cover; `labeled` (m, d)."""

    features: Floats
    uncertainty: Floats
    labeled: Floats


def herd(
    pool: Pool, candidates: NDArray[np.intp], count: int, reach: float, rng: np.random.Generator
) -> list[int]:
    """Return the positions of at most `count` of the `candidates`, best first."""
    count = min(count, len(candidates))
    rows = _some(len(pool.features), rng)
    known = np.union1d(rows, candidates)
    features = pool.features[known].astype(np.float32)
    reference, offered = np.searchsorted(known, rows), np.searchsorted(known, candidates)
    cosines, typical = _cosines(features, offered, reference)
    width = reach * _fair_distance(typical, count + len(pool.labeled))
    to_labeled = _to_labeled(features, pool.labeled)
    greedy = _Greedy(
        kernel=_kernel(cosines, width),
        weight=pool.uncertainty[rows].astype(np.float32),
        covered=_kernel(to_labeled[reference], width),
    )
    chosen = greedy.take(count, features[offered], to_labeled[offered] >= NEAR_IDENTICAL)
    return [int(candidates[position]) for position in chosen]


@dataclass(slots=True)
class _Greedy:
    """Lazy greedy maximization (Minoux 1978): gains only shrink, so an old gain is a bound.

    `kernel` (c, r) of candidates to reference images; `weight` and `covered` (r,).
    """

    kernel: Floats
    weight: Floats
    covered: Floats

    def take(self, count: int, offered: Floats, closed: NDArray[np.bool_]) -> list[int]:
        """Return the best `count`; closed ones and duplicates of picks only as a last resort."""
        bounds = [(-self._gain(position), position) for position in range(len(offered))]
        heapify(bounds)
        picks = np.empty((count, offered.shape[1]), dtype=offered.dtype)
        chosen, passed_over = list[int](), list[int]()
        while bounds and len(chosen) < count:
            _, best = heappop(bounds)
            if closed[best] or looks_like(offered[best], picks[: len(chosen)]):
                passed_over.append(best)
                continue
            gain = self._gain(best)
            if bounds and gain < -bounds[0][0]:
                heappush(bounds, (-gain, best))
                continue
            picks[len(chosen)] = offered[best]
            chosen.append(best)
            self.covered = np.maximum(self.covered, self.kernel[best])
        return [*chosen, *passed_over[: count - len(chosen)]]

    def _gain(self, position: int) -> float:
        return float(np.maximum(self.kernel[position] - self.covered, 0) @ self.weight)


def _some(many: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(rng.choice(many, min(many, REFERENCE), replace=False))


def _cosines(features: Floats, offered: Rows, reference: Rows) -> tuple[Floats, Floats]:
    """Return the cosines of two sets of rows to the `reference` rows.

    Returns:
        (c, r) of the `offered` rows, and (at most TYPICAL, r) of the first `reference` rows.
    """
    if len(reference) == len(features):  # NumPy computes half of a product of a matrix with itself
        cosines = features @ features.T
        return cosines[offered], cosines[:TYPICAL]
    shown = features[reference]
    return features[offered] @ shown.T, shown[:TYPICAL] @ shown.T


def _fair_distance(cosines: Floats, picks: int) -> float:
    """Return the median distance within which an image has 1 / `picks` of the others.

    `cosines` (n, r) are those of some reference images to all, themselves among them.
    """
    images = cosines.shape[1]
    last = images - min(images, 1 + max(1, round(images / max(1, picks))))
    near = np.partition(cosines, last, axis=1)[:, last]
    return float(np.sqrt(max(2 - 2 * np.median(near), 1e-4)))


def _to_labeled(features: Floats, labeled: Floats) -> Floats:
    """Return (n,) the cosine to the nearest labeled image, -inf where there is none."""
    if not len(labeled):
        return np.full(len(features), -np.inf, dtype=np.float32)
    return nearest(features, labeled, 1)[1][:, 0]


def _kernel(cosines: Floats, width: float) -> Floats:
    """Return a Gaussian of the distance between unit vectors, in place of their cosines."""
    np.subtract(cosines, 1, out=cosines)
    np.divide(cosines, width**2 / 2, out=cosines)
    return np.exp(cosines, out=cosines)
