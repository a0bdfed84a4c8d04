"""Decide whether a new version replaces the current one."""

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np

from backend.domain.items import ItemKind
from backend.domain.jobs import Decision

TINY = 1e-9
"""Figures closer than this are equal, so that rounding does not decide."""


def decide(
    new: Sequence[float], current: Sequence[float] | None, items: ItemKind = ItemKind.IMAGE
) -> Decision:
    """Return yes unless the new version is worse by more than chance explains.

    Args:
        new: agreement of the new version with the human label of each held-out image, in [0, 1].
        current: the same for the current version, on the same images in the same order; None
            without one, or if its labels differ.
    """
    if current is None:
        return Decision(True, "the first version for these labels")
    if not new:
        return Decision(True, f"no held-out {items.plural} to compare on yet")
    one, other = float(np.mean(new)), float(np.mean(current))
    where = f"on the same {len(new)} held-out {items.plural}"
    compared = f"agreement {one:.3f} against {other:.3f} {where}"
    if one >= other - TINY:
        return Decision(True, compared)
    error = standard_error(new, current)
    if other - one <= error + TINY:
        return Decision(True, f"{compared}: no worse than chance explains ({error:.3f})")
    return Decision(False, f"{compared}: worse, kept aside; chance explains {error:.3f}")


def standard_error(new: Sequence[float], current: Sequence[float]) -> float:
    """Return the standard error of the mean difference, paired by image.

    Infinite with fewer than two images.
    """
    if len(new) < 2:
        return inf
    differences = np.subtract(new, current)
    return float(differences.std(ddof=1)) / sqrt(len(differences))
