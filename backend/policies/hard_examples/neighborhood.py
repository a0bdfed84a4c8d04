"""How near images are to the labeled ones: computed once for all criteria that ask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets
from backend.policies.neighbors import largest, similarities

NEIGHBORS = 5
"""Labeled images to compare an image with."""


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """The labeled images near n images.

    `positions` (n, k) are those of the nearest, best first; k is NEIGHBORS, or less where there are
    fewer. `to_any` (n,) is the cosine to the nearest of all, `to_label` (n, K) to the nearest that
    has a label; -inf where there is none.
    """

    positions: NDArray[np.intp]
    to_any: Floats
    to_label: Floats


def neighborhood(
    features: Floats, labeled: Floats, given: Targets, skip_self: bool = False
) -> Neighborhood:
    """Compare images with the labeled ones.

    Args:
        features: (n, d), rows of length 1.
        labeled: (m, d), rows of length 1.
        given: (m, K) multi-hot labels.
        skip_self: the images are the labeled ones, and none is near itself.
    """
    count = max(0, min(NEIGHBORS, len(labeled) - skip_self))
    positions = np.zeros((len(features), count), dtype=np.intp)
    to_any = np.full(len(features), -np.inf, dtype=np.float32)
    to_label = np.full((len(features), given.shape[1]), -np.inf, dtype=np.float32)
    having = [np.flatnonzero(column) for column in given.T]
    for rows, similarity in similarities(features, labeled, skip_self) if count else ():
        for label, keys in enumerate(having):
            to_label[rows, label] = similarity[:, keys].max(axis=1, initial=-np.inf)
        positions[rows], cosines = largest(similarity, count)
        to_any[rows] = cosines[:, 0]
    return Neighborhood(positions, to_any, to_label)
