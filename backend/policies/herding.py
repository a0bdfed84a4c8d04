"""Pick images greedily so that they cover the uncertain ones.

Uncertainty Herding (Bae, Noh & Sutherland, ICLR 2025, arXiv 2412.20644): each pick adds most to
sum_x u(x) max_s k(x, s), with u the uncertainty and k a Gaussian kernel about picked and labeled
images. Without a model u is 1 and the picks are the typical images of the pool (MaxHerding).
"""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Rows, Targets, to_float32
from backend.domain.large_arrays import take
from backend.policies.near_duplicates import looks_like
from backend.policies.neighbors import NEAR_IDENTICAL, similarities

REFERENCE = 5000
"""Coverage is summed over a random sample of at most this many images."""

TYPICAL = 1000
"""The kernel's width is a median over this many of them."""

REACH_BLIND, REACH = 0.9, 2 / 3
"""Kernel width without a model and with one, in units of the distance within which an image has
its fair share of all: one over the number of labeled and picked ones. So the kernel narrows as
labels come in. See the decision record."""

AT_ONCE = 64
"""Candidates whose kernels are computed at once: they stay in a processor's cache."""


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
    features = to_float32(take(pool.features, known))
    reference, offered = np.searchsorted(known, rows), np.searchsorted(known, candidates)
    cosines, at, typical = _cosines(features, offered, reference)
    width = reach * _fair_distance(typical, count + len(pool.labeled))
    to_labeled = _to_labeled(features, pool.labeled)
    greedy = _Greedy(
        cosines=cosines,
        at=at,
        width=width,
        weight=pool.uncertainty[rows].astype(np.float32),
        covered=_kernel(to_labeled[reference], width),
    )
    chosen = greedy.take(count, features, offered, to_labeled[offered] >= NEAR_IDENTICAL)
    return [int(candidates[position]) for position in chosen]


@dataclass(slots=True)
class _Greedy:
    """Lazy greedy maximization (Minoux 1978): gains only shrink, so an old gain is a bound.

    Row `at[i]` (c,) of `cosines` (n, r) has those of candidate i to the reference images, for a
    kernel of this `width`; `weight` and `covered` (r,).
    """

    cosines: Floats
    at: Rows
    width: float
    weight: Floats
    covered: Floats

    def take(self, count: int, features: Floats, offered: Rows, closed: Targets) -> list[int]:
        """Return the best `count`; closed ones and duplicates of picks only as a last resort.

        `offered` (c,) are the rows of the candidates in `features`, `closed` (c,) of them.
        """
        bounds = [(-gain, position) for position, gain in enumerate(self._gains())]
        heapify(bounds)
        picks = np.empty((count, features.shape[1]), dtype=features.dtype)
        chosen, passed_over = list[int](), list[int]()
        while bounds and len(chosen) < count:
            _, best = heappop(bounds)
            shown = features[offered[best]]
            if closed[best] or looks_like(shown, picks[: len(chosen)]):
                passed_over.append(best)
                continue
            kernel = self._kernels(slice(best, best + 1))
            gain = float(self._added(kernel)[0])
            if bounds and gain < -bounds[0][0]:
                heappush(bounds, (-gain, best))
                continue
            picks[len(chosen)] = shown
            chosen.append(best)
            self.covered = np.maximum(self.covered, kernel[0])
        return [*chosen, *passed_over[: count - len(chosen)]]

    def _gains(self) -> list[float]:
        """Return what each candidate adds to nothing picked."""
        gains = np.empty(len(self.at), dtype=np.float32)
        for start in range(0, len(gains), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            gains[part] = self._added(self._kernels(part))
        return gains.tolist()

    def _added(self, kernels: Floats) -> Floats:
        """Return (k,) what candidates of these `kernels` (k, r) add to what is covered."""
        more = kernels - self.covered
        return np.maximum(more, 0, out=more) @ self.weight

    def _kernels(self, part: slice) -> Floats:
        return _kernel(self.cosines[self.at[part]], self.width)


def _some(many: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(rng.choice(many, min(many, REFERENCE), replace=False))


def _cosines(features: Floats, offered: Rows, reference: Rows) -> tuple[Floats, Rows, Floats]:
    """Return the cosines of two sets of rows to the `reference` rows.

    Returns:
        Cosines (n, r), the rows of these (c,) that belong to the `offered` rows, and the cosines
        (at most TYPICAL, r) of the first `reference` rows.
    """
    if len(reference) == len(features):  # NumPy computes half of a product of a matrix with itself
        cosines = features @ features.T
        return cosines, offered, cosines[:TYPICAL]
    shown = features[reference]
    return features[offered] @ shown.T, np.arange(len(offered)), shown[:TYPICAL] @ shown.T


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
    found = np.empty(len(features), dtype=np.float32)
    for rows, cosines in similarities(features, labeled):
        found[rows] = cosines.max(axis=1, initial=-np.inf)
    return found


def _kernel(cosines: Floats, width: float) -> Floats:
    """Return a Gaussian of the distance between unit vectors, in place of their cosines."""
    np.subtract(cosines, 1, out=cosines)
    np.divide(cosines, width**2 / 2, out=cosines)
    return np.exp(cosines, out=cosines)
