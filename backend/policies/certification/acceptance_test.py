"""The statistical test that accepts labels: fixed-sequence Learn then Test.

Thresholds on the score are tested from strict to loose, each by an exact test, until one fails
(Angelopoulos et al. 2021, arXiv 2110.01052). The test is hypergeometric: the validation images
above a threshold were drawn without replacement from themselves and the unlabeled images above it.
Images that people labeled since the drawing belong to that population too and count as right:
people who confirm right answers and skip wrong ones leave a pool that is worse than the sample.
A threshold is tested where one more mistake becomes allowed; this depends on scores only, so the
choice of thresholds spends no risk. The guarantee assumes that the probability of a mistake does
not fall as the score falls.

The tail is computed here and not by scipy.stats, which is up to ten times slower: see
docs/decisions/own-metrics-clusters-and-tails.md. The tests compare it with exact integer
arithmetic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import floor, lgamma
from typing import Self

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets

START_SHARE, START_EXTRA = 0.2, 25
"""The first threshold accepts at most this share of the sample plus this many images: stricter
ones waste the sample, looser ones fail at once with a weak model. See
docs/decisions/certification-rule.md."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Confidences, and which answers to the validation images are right.

    Attributes:
        confidence: (n,) in the answers to randomly drawn validation images that the model never
            saw.
        right: (n,) whether those answers are right.
        pool: (N,) confidence in the answers to the unlabeled images that might be accepted.
        labeled_since: (m,) the same of images that left the pool since the drawing, because
            people chose to label them.
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
    """A threshold to test: the images that reach it, their mistakes, and the most allowed."""

    threshold: float
    accepted: int
    pool: int
    mistakes: int
    max_mistakes: int


def walk(validation: Validation, max_error: float, risk: float) -> Stop | None:
    """Return the last threshold that passes before the first that fails; None if none passes."""
    passed = None
    for stop in stops(validation, max_error, risk):
        if stop.mistakes > stop.max_mistakes:
            break
        passed = stop
    return passed


def stops(validation: Validation, max_error: float, risk: float) -> Iterator[Stop]:
    """Yield the thresholds to test, strict to loose: each allows more mistakes than the last."""
    prefixes = _prefixes(validation)
    wanted = _first_wanted(prefixes, len(validation.confidence), max_error, risk)
    for prefix in prefixes:
        sizes = prefix.accepted, prefix.pool, max_error
        if tail(wanted, *sizes, prefix.labeled_since) > risk:
            continue
        allowed = max_mistakes(*sizes, risk, prefix.labeled_since)
        yield Stop(prefix.threshold, prefix.accepted, prefix.pool, prefix.mistakes, allowed)
        wanted = allowed + 1


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The images that reach a threshold."""

    threshold: float
    accepted: int
    mistakes: int
    pool: int
    labeled_since: int


def _prefixes(validation: Validation) -> list[_Prefix]:
    """Return one prefix for each distinct confidence in the sample, strict to loose."""
    order = np.argsort(-validation.confidence.astype(np.float64), kind="stable")
    scores = validation.confidence.astype(np.float64)[order]
    mistakes = np.cumsum(~validation.right[order])
    last = np.flatnonzero(np.diff(scores, append=-np.inf))
    columns = (
        scores[last],
        last + 1,
        mistakes[last],
        _count_from(validation.pool, scores[last]),
        _count_from(validation.labeled_since, scores[last]),
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [_Prefix(*row) for row in rows]


def _first_wanted(prefixes: Sequence[_Prefix], sample: int, max_error: float, risk: float) -> int:
    """Return how many mistakes the first test must allow: those of the largest strict prefix."""
    strict = [one for one in prefixes if one.accepted <= START_SHARE * sample + START_EXTRA]
    if not strict:
        return 0
    largest = strict[-1]
    return max(
        0, max_mistakes(largest.accepted, largest.pool, max_error, risk, largest.labeled_since)
    )


def _count_from(values: Floats, thresholds: Floats) -> Rows:
    """Count the values that reach each threshold."""
    ascending = np.sort(values.astype(np.float64))
    return len(ascending) - np.searchsorted(ascending, thresholds, side="left")


def tail(
    mistakes: int, accepted: int, pool: int, max_error: float, labeled_since: int = 0
) -> float:
    """Return the p-value: the probability of so few mistakes if the pool just broke the promise.

    The cumulative hypergeometric distribution: `accepted` images are drawn from themselves, the
    `pool` of unlabeled images and those `labeled_since`; of all these, `mistakes` plus one more
    than `max_error` of the pool are wrong.
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
    """Return the most mistakes among `accepted` validation images that pass; -1 if none do."""
    low, high = -1, accepted + 1
    while high - low > 1:
        middle = (low + high) // 2
        if tail(middle, accepted, pool, max_error, labeled_since) <= risk:
            low = middle
        else:
            high = middle
    return low


def log_choose(n: int, k: int) -> float:
    """Return the logarithm of the binomial coefficient."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
