"""Pick images greedily so that they cover the uncertain ones.

Uncertainty Herding (Bae, Noh & Sutherland, ICLR 2025, arXiv 2412.20644): each pick adds most to
sum_x u(x) max_s k(x, s), with u the uncertainty and k a Gaussian kernel about picked and labeled
images. Without a model u is 1 and the picks are the typical images of the pool (MaxHerding).
"""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats
from backend.policies.neighbors import NEAR_IDENTICAL, nearest

REFERENCE = 5000
"""Coverage is summed over a random sample of at most this many images."""

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
    reference = pool.features[rows].astype(np.float32)
    width = reach * _fair_distance(reference, count + len(pool.labeled))
    offered = pool.features[candidates].astype(np.float32)
    repeats = _repeats(offered, pool.labeled)
    greedy = _Greedy(
        kernel=_kernel(offered @ reference.T, width),
        weight=pool.uncertainty[rows].astype(np.float32),
        covered=_covered(reference, pool.labeled, width),
    )
    chosen = greedy.take(count, offered, repeats)
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
        closed = closed.copy()
        bounds = [(-self._gain(position), position) for position in range(len(offered))]
        heapify(bounds)
        chosen, passed_over = list[int](), list[int]()
        while bounds and len(chosen) < count:
            _, best = heappop(bounds)
            if closed[best]:
                passed_over.append(best)
                continue
            gain = self._gain(best)
            if bounds and gain < -bounds[0][0]:
                heappush(bounds, (-gain, best))
                continue
            chosen.append(best)
            self.covered = np.maximum(self.covered, self.kernel[best])
            closed |= offered @ offered[best] >= NEAR_IDENTICAL
        return [*chosen, *passed_over[: count - len(chosen)]]

    def _gain(self, position: int) -> float:
        return float(np.maximum(self.kernel[position] - self.covered, 0) @ self.weight)


def _some(many: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(rng.choice(many, min(many, REFERENCE), replace=False))


def _fair_distance(reference: Floats, picks: int) -> float:
    """Return the median distance within which a reference image has 1 / `picks` of the others."""
    count = max(1, round(len(reference) / max(1, picks)))
    near = nearest(reference[:1000], reference, count + 1)[1]
    return float(np.sqrt(max(2 - 2 * np.median(near[:, -1]), 1e-4)))


def _covered(reference: Floats, labeled: Floats, width: float) -> Floats:
    if not len(labeled):
        return np.zeros(len(reference), dtype=np.float32)
    return _kernel(nearest(reference, labeled, 1)[1][:, 0], width)


def _kernel(cosines: Floats, width: float) -> Floats:
    """Return a Gaussian of the distance between unit vectors."""
    return np.exp((2 * cosines - 2) / np.float32(width**2))


def _repeats(offered: Floats, labeled: Floats) -> NDArray[np.bool_]:
    if not len(labeled):
        return np.zeros(len(offered), dtype=np.bool_)
    return nearest(offered, labeled, 1)[1][:, 0] >= NEAR_IDENTICAL
