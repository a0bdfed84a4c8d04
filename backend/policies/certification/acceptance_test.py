"""Fixed-sequence Learn then Test: how loose a threshold does a validation sample vouch for?

Thresholds are tried from strict to loose, each by an exact test, until one fails (Angelopoulos et
al. 2021, arXiv 2110.01052). The validation images above a threshold and the unlabeled ones above
it are one population from which the former were drawn without replacement: the tail is
hypergeometric, and with many unlabeled images the binomial one. Images that people labeled since
the drawing belong to it too, all as right answers: whoever confirms right answers and leaves the
wrong ones makes what is left worse than the sample. Thresholds stand where one more mistake
becomes affordable, which scores alone tell. Exact where the chance of a mistake does not fall as
the score falls.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from math import floor, lgamma
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets

START_SHARE, START_EXTRA = 0.2, 25
"""The strictest threshold accepts at most this share of the sample plus this many images: stricter
ones waste the sample, looser ones fail at once with a weak model. See the decision record."""


@dataclass(frozen=True, slots=True)
class Validation:
    """How sure the model is of its answers, and which answers people found right.

    `confidence` (n,) and `right` (n,) on validation images drawn at random that the model never
    saw; `pool` (N,) confidence on the unlabeled images that might be accepted; `labeled_since` (m,)
    on those that left them since the drawing, because people chose to label them.
    """

    confidence: Floats
    right: Targets
    pool: Floats
    labeled_since: Floats = field(default_factory=lambda: np.empty(0))

    def take(self, sample: Targets, pool: Targets, labeled_since: Targets) -> Self:
        return type(self)(
            self.confidence[sample],
            self.right[sample],
            self.pool[pool],
            self.labeled_since[labeled_since],
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """A threshold at which to test: how many stand above it, and what the test may find."""

    threshold: float
    accepted: int
    pool: int
    mistakes: int
    max_mistakes: int


def walk(validation: Validation, max_error: float, risk: float) -> Stop | None:
    """The last threshold that passes before the first that fails."""
    passed = None
    for stop in stops(validation, max_error, risk):
        if stop.mistakes > stop.max_mistakes:
            break
        passed = stop
    return passed


def stops(validation: Validation, max_error: float, risk: float) -> Iterator[Stop]:
    """The thresholds to test, strict to loose: each where one more mistake becomes affordable."""
    order = np.argsort(-validation.confidence.astype(np.float64), kind="stable")
    scores = validation.confidence.astype(np.float64)[order]
    mistakes = np.cumsum(~validation.right[order])
    ends = np.flatnonzero(np.diff(scores, append=-np.inf))
    above = _above(validation.pool, scores[ends])
    labeled_since = _above(validation.labeled_since, scores[ends])

    def affords(wanted: int, end: int) -> bool:
        sizes = int(ends[end]) + 1, int(above[end])
        return tail(wanted, *sizes, max_error, int(labeled_since[end])) <= risk

    def most(end: int) -> int:
        sizes = int(ends[end]) + 1, int(above[end])
        return max_mistakes(*sizes, max_error, risk, int(labeled_since[end]))

    limit = START_SHARE * len(scores) + START_EXTRA
    start = int(np.searchsorted(ends, limit, side="left")) - 1
    wanted, end = max(0, most(start)) if start >= 0 else 0, 0
    while True:
        end = bisect_left(range(len(ends)), True, lo=end, key=partial(affords, wanted))
        if end == len(ends):
            return
        rank, allowed = int(ends[end]), most(end)
        yield Stop(float(scores[rank]), rank + 1, int(above[end]), int(mistakes[rank]), allowed)
        wanted = allowed + 1


def _above(values: Floats, thresholds: Floats) -> NDArray[np.intp]:
    """How many of the values reach each threshold."""
    ascending = np.sort(values.astype(np.float64))
    return len(ascending) - np.searchsorted(ascending, thresholds, side="left")


def tail(
    mistakes: int, accepted: int, pool: int, max_error: float, labeled_since: int = 0
) -> float:
    """The chance of so few mistakes in the sample if the pool broke the promise by one.

    Hypergeometric: `accepted` images drawn from themselves, the `pool` unlabeled ones and those
    `labeled_since`; of both, `mistakes` plus one more than `max_error` of the pool are wrong.
    """
    if not pool or mistakes >= accepted:
        return 1.0
    population = pool + accepted + labeled_since
    wrong = mistakes + floor(max_error * pool + 1e-9) + 1
    least = max(0, accepted + wrong - population)
    x = np.arange(least, mistakes)
    ratios = (wrong - x) * (accepted - x) / ((x + 1) * (population - wrong - accepted + x + 1.0))
    first = (
        log_choose(wrong, least)
        + log_choose(population - wrong, accepted - least)
        - log_choose(population, accepted)
    )
    logs = first + np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    return min(1.0, float(np.exp(logs).sum()))


def max_mistakes(
    accepted: int, pool: int, max_error: float, risk: float, labeled_since: int = 0
) -> int:
    """The most mistakes among `accepted` validation images that still certify; -1 for none."""
    low, high = -1, accepted + 1
    while high - low > 1:
        middle = (low + high) // 2
        if tail(middle, accepted, pool, max_error, labeled_since) <= risk:
            low = middle
        else:
            high = middle
    return low


def log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
