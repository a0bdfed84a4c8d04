"""How likely is each human label wrong, judged by models that did not see the image?

Labels are taken to be wrong at an unknown rate, a wrong one being any other label with the same
chance: the noise model of Natarajan et al. (2013) and of the forward correction of Patrini et al.
(CVPR 2017). Probabilities that were fitted and calibrated on wrong labels are too flat, so their
slope (temperature) is unknown, too. Both are fitted to the labels by likelihood, on a grid that is
averaged by posterior weight, so that few labels claim no more noise than they show.
"""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets

SLOPES = tuple(0.5 * 6 ** (step / 12) for step in range(13))
"""Factors of the logits, 0.5 to 3, with a standard normal prior on their logarithm."""

RATES = (0, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
"""Shares of wrong labels."""

PAIRED_RATES = (0, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2)
"""Shares of labels that were left out, and of labels that were given without reason."""

MOST_FITTED = 20_000
"""Labels that slope and rates are fitted to; more change nothing."""

_SMALLEST, _NEGLIGIBLE = 1e-6, 1e-4

_Own = Callable[[float, slice], Floats]
"""Returns the probability (m,) of the given answers in a slice of them, at a slope."""

_Channel = tuple[Floats, Floats]
"""(m,) or (1,) each: the chance that a right answer became another one, and that a wrong answer
became the given one."""


def exclusive(probabilities: Floats, given: Rows) -> Floats:
    """Return (n,) the chance that each label is wrong.

    Args:
        probabilities: (n, K) out of fold, K at least 2.
        given: (n,) the index of each image's label.
    """
    logits = np.log(np.clip(probabilities, _SMALLEST, 1))
    others = probabilities.shape[1] - 1

    def own(slope: float, rows: slice) -> Floats:
        scaled = slope * logits[rows]
        chosen = scaled[np.arange(len(scaled)), given[rows]]
        return np.exp(chosen - np.logaddexp.reduce(scaled, axis=1))

    channels = [(np.array([rate]), np.array([rate / others])) for rate in RATES]
    return _averaged(own, channels, len(given))


def independent(probabilities: Floats, given: Targets, slopes: Sequence[float] = SLOPES) -> Floats:
    """Return (n, K) the chance that each yes or no is wrong; a label left out is likelier.

    Args:
        probabilities: (n, K) out of fold.
        given: (n, K).
        slopes: to choose from.
    """
    inside = np.clip(probabilities.ravel(), _SMALLEST, 1 - _SMALLEST)
    yes = given.ravel()
    towards = np.where(yes, 1, -1) * np.log(inside / (1 - inside))

    def own(slope: float, rows: slice) -> Floats:
        return 1 / (1 + np.exp(-slope * towards[rows]))

    channels = [
        (np.where(yes, left_out, added), np.where(yes, added, left_out))
        for left_out, added in product(PAIRED_RATES, PAIRED_RATES)
    ]
    return _averaged(own, channels, len(yes), slopes).reshape(given.shape)


def _averaged(
    own: _Own, channels: Sequence[_Channel], count: int, slopes: Sequence[float] = SLOPES
) -> Floats:
    """Return (count,) the chances of a wrong answer, averaged over slopes and channels."""
    weights = _weights(own, channels, slice(None, None, max(1, count // MOST_FITTED)), slopes)
    total = np.zeros(count)
    for place in np.argwhere(weights > _NEGLIGIBLE * weights.max()):
        slope, channel = (int(one) for one in place)
        right, wrong = _joint(own(slopes[slope], slice(None)), channels[channel], slice(None))
        total += weights[slope, channel] * wrong / (right + wrong)
    return total


def _weights(
    own: _Own, channels: Sequence[_Channel], rows: slice, slopes: Sequence[float]
) -> Floats:
    """Return (slopes, channels) their posterior weights, which sum up to about 1."""
    logs = np.empty((len(slopes), len(channels)))
    for place, slope in enumerate(slopes):
        probability = own(slope, rows)
        for column, channel in enumerate(channels):
            likelihood = sum(_joint(probability, channel, rows))
            logs[place, column] = np.log(likelihood).sum() - np.log(slope) ** 2 / 2
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def _joint(own: Floats, channel: _Channel, rows: slice) -> tuple[Floats, Floats]:
    """Return (m,) each: the probability that the given answer is right, and that it is wrong."""
    leave, arrive = (one[rows] if len(one) > 1 else one for one in channel)
    return (1 - leave) * own, arrive * (1 - own)
