"""Test the mean of bounded values of a finite population by betting against it.

Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (2024)
1-27, arXiv 2010.09686, their Section 5 on sampling without replacement. Somebody who believes that
the population's values sum up to `total` expects the next value to be the mean of what is left.
Betting that it is lower makes a capital which, if they are right, exceeds 1 / risk at any time with
a probability of at most `risk` (Ville's inequality). The size of a bet depends on earlier values
only: it is the approximate growth rate adaptive bet (aGRAPA, their Appendix B).

The capital grows with `total`, so the p-value of "`total`" is one of "`total` or more", even where
`total` was computed from the sample.
"""

import math

import numpy as np

from backend.domain.arrays import Floats

CAP = 0.95
"""A bet risks at most this part of the capital, so that the worst value does not ruin it."""

_ROUNDING = 1e-9

PRIOR = 2
"""Imagined earlier values, half of the rejected mean each; they set the first bets."""


def p_value(values: Floats, total: float, population: int, mean: float) -> float:
    """Return the p-value of "the values of the population sum up to `total` or more".

    Args:
        values: (m,) of the sample, in [0, 1], in random order.
        total: to reject.
        population: its size, at least m.
        mean: about `total / population`, fixed before the sample was seen; it only sets the bets.
    """
    before = np.cumsum(values) - values
    expected = (total - before) / (population - np.arange(len(values)))
    if np.any(expected > 1 + _ROUNDING):
        return 0.0  # no population has such a sum
    bets = np.minimum(_bets(values, mean), CAP / np.maximum(1 - expected, 1 - CAP))
    with np.errstate(divide="ignore"):
        growth = np.log(np.where(expected < 0, 0.0, 1 + bets * (expected - values)))
    return math.exp(-float(np.max(np.cumsum(growth), initial=0.0)))


def _bets(values: Floats, mean: float) -> Floats:
    """Return the bet before each value."""
    gains = np.concatenate([[PRIOR * mean / 2], mean - values[:-1]])[: len(values)]
    squares = gains**2
    squares[:1] /= PRIOR
    return np.maximum(np.cumsum(gains), 0.0) / np.cumsum(squares)
