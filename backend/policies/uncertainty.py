"""How unsure a model is of each answer: probabilities to a score in [0, 1], 1 for no idea.

The classic scores of Settles, "Active Learning Literature Survey" (2009), scaled to [0, 1].
"""

from collections.abc import Sequence

import numpy as np

from backend.domain import Answer, Kind, Regions
from backend.pictures import Floats, Guesses

TINY = 1e-12


def uncertainty(kind: Kind, guesses: Guesses) -> Floats:
    """(n,) the score that suits the kind of control."""
    if kind is Kind.DETECTION:
        return boxes(guesses.answers)
    if kind is Kind.MULTI:
        return any_label(guesses.probabilities)
    return margin(guesses.probabilities)


def least_confidence(probabilities: Floats) -> Floats:
    """One minus the largest of K probabilities, scaled so that K equal ones score 1."""
    labels = probabilities.shape[1]
    return (1 - probabilities.max(axis=1)) * labels / max(1, labels - 1)


def margin(probabilities: Floats) -> Floats:
    """One minus the distance between the two largest probabilities."""
    if probabilities.shape[1] < 2:
        return 1 - probabilities.max(axis=1)
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy over log K."""
    labels = probabilities.shape[1]
    logs = np.log(np.clip(probabilities, TINY, 1))
    return -(probabilities * logs).sum(axis=1) / np.log(max(2, labels))


def any_label(probabilities: Floats) -> Floats:
    """For several labels an image: the binary entropy of the least certain label."""
    return _binary_entropy(probabilities).max(axis=1, initial=0)


def boxes(answers: Sequence[Answer]) -> Floats:
    """For boxes: their binary entropies, summed and saturated.

    The sum is that of PPAL's uncertainty (Yang et al., CVPR 2024) without its class weights: an
    image with many doubtful boxes costs a person most. 1 - exp(-sum) keeps it within [0, 1].
    """
    sums = [
        sum(float(_binary_entropy(np.float64(region.score or 0))) for region in answer.regions)
        if isinstance(answer, Regions)
        else 0.0
        for answer in answers
    ]
    return 1 - np.exp(-np.asarray(sums, dtype=np.float64))


def _binary_entropy(probability: Floats | np.float64) -> Floats:
    inside = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1 - TINY)
    return -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
