"""Put off images that look the same as one before them."""

from collections.abc import Iterable

import numpy as np

from backend.domain.arrays import Floats
from backend.policies.neighbors import NEAR_IDENTICAL


def distinct_first(features: Floats, order: Iterable[int], seen: Floats, count: int) -> list[int]:
    """Return the first `count` rows in this order; near-duplicates only as a last resort.

    Args:
        features: (n, d), rows of length 1.
        order: rows of `features`.
        seen: (m, d), rows of length 1; an image that looks like one of them is a duplicate, too.
        count: number of rows, as far as there are so many.
    """
    known = seen.astype(np.float32)
    taken = np.zeros((count, features.shape[1]), dtype=np.float32)
    distinct, put_off = list[int](), list[int]()
    for row in map(int, order):
        if len(distinct) == count:
            break
        vector = features[row].astype(np.float32)
        if looks_like(vector, known) or looks_like(vector, taken[: len(distinct)]):
            put_off.append(row)
            continue
        taken[len(distinct)] = vector
        distinct.append(row)
    return [*distinct, *put_off[: count - len(distinct)]]


def looks_like(vector: Floats, others: Floats) -> bool:
    """Return whether a vector (d,) is near-identical to one of the `others` (n, d)."""
    return bool(len(others)) and float((others @ vector).max()) >= NEAR_IDENTICAL
