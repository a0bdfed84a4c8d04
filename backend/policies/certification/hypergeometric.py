"""The hypergeometric distribution for arrays of parameters.

`scipy.stats.hypergeom` gives the same numbers and takes seconds to import; see
docs/decisions/own-metrics-clusters-and-tails.md. The tests compare both.
"""

import numpy as np

from backend.domain.arrays import Floats, Rows

_SMALL = 20
"""Stirling's series is exact to 1e-13 from here on; smaller factorials are multiplied out."""

_TABULATED = 4096
"""Looking a factorial up takes a tenth of the time that the series takes."""


def _stirling(n: Rows) -> Floats:
    """Return ln(n!) for integers n >= `_SMALL`."""
    x = n.astype(np.float64)
    series = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)
    return x * np.log(x) - x + 0.5 * np.log(2 * np.pi * x) + series


_MULTIPLIED = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _SMALL)))])
_TABLE = np.concatenate([_MULTIPLIED, _stirling(np.arange(_SMALL, _TABULATED))])


def log_factorial(n: Rows) -> Floats:
    """Return ln(n!) for integers n >= 0."""
    if np.max(n, initial=0) < _TABULATED:
        return _TABLE[n]
    return np.where(n < _SMALL, _TABLE[np.minimum(n, _SMALL)], _stirling(np.maximum(n, _SMALL)))


def cdf(most: Rows, population: Rows, wrong: Rows, drawn: Rows) -> Floats:
    """Return P(X <= most), X the wrong ones among `drawn` of `population`, `wrong` of it wrong.

    All arrays are (s,), `most` >= 0 and `drawn` <= `population`. More wrong ones than the
    population holds are impossible: the probability is 0.
    """
    possible = wrong <= population
    right = np.maximum(population - wrong, 0)
    least = np.maximum(drawn - right, 0)
    first = _log_choose(np.minimum(wrong, population), np.minimum(least, wrong))
    first += _log_choose(right, drawn - least) - _log_choose(population, drawn)
    x = least[:, None] + np.arange(int(np.max(most - least, initial=0)))
    upward = np.maximum(wrong[:, None] - x, 0) * np.maximum(drawn[:, None] - x, 0)
    downward = (x + 1) * np.maximum(right[:, None] - drawn[:, None] + x + 1, 1)
    with np.errstate(divide="ignore"):  # the logarithm of an impossible step is -inf, as it should
        steps = np.cumsum(np.log(upward / downward), axis=1)
    counted = x < most[:, None]
    rest = np.where(counted, np.exp(first[:, None] + steps), 0.0).sum(axis=1)
    total = np.where(most >= least, np.exp(first) + rest, 0.0)
    certain = most >= np.minimum(drawn, wrong)
    return np.where(possible, np.where(certain, 1.0, np.minimum(total, 1.0)), 0.0)


def _log_choose(n: Rows, k: Rows) -> Floats:
    return log_factorial(n) - log_factorial(k) - log_factorial(n - k)


def most_mistakes(population: Rows, drawn: Rows, allowed: Rows, risk: float) -> Rows:
    """Return the most mistakes in a sample that still reject "more than `allowed` remain".

    The sample is `drawn` from a prefix of size `population`; -1 where no number rejects. The
    p-value rises with the mistakes, so bisection finds the limit.
    """
    low, high = np.full(len(population), -1), _too_many(population, drawn, allowed, risk)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        most = np.maximum(middle, 0)
        rejects = (cdf(most, population, most + allowed + 1, drawn) <= risk) & (middle >= 0)
        low, high = np.where(rejects, middle, low), np.where(rejects, high, middle)
    return low


def _too_many(population: Rows, drawn: Rows, allowed: Rows, risk: float) -> Rows:
    """Return numbers of mistakes that do not reject, as small as is known without a tail.

    The median of a hypergeometric variable is less than 1 from its mean, so from k = mean + 1 on
    P(X <= k) is at least one half. The mean is itself drawn (k + allowed + 1) / population.
    """
    if risk >= 0.5:
        return drawn + 1
    unseen = np.maximum(population - drawn, 1)
    above_median = -(-(drawn * (allowed + 1) + population) // unseen)
    return np.clip(above_median, 0, drawn + 1)
