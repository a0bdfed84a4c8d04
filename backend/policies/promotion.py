"""Does a new version replace the current one?"""

from collections.abc import Mapping
from math import sqrt

from backend.domain import Decision

SCORES = ("agreement", "accuracy", "map50")
"""The metric that decides, the first that both versions have; all are shares in [0, 1]."""


def decide(
    new: Mapping[str, float], current: Mapping[str, float] | None, held_out: int
) -> Decision:
    """Yes unless the new version is worse by more than chance explains.

    Args:
        new: metrics of the new version.
        current: metrics of the current version on the same held-out images; None without one,
            or when its labels are others.
        held_out: how many images both were measured on.
    """
    if current is None:
        return Decision(True, "the first version for these labels")
    name = next((score for score in SCORES if score in new and score in current), None)
    if name is None or not held_out:
        return Decision(True, "no held-out images to compare on yet")
    one, other = new[name], current[name]
    compared = f"{name} {one:.3f} against {other:.3f} on the same {held_out} held-out images"
    if one >= other:
        return Decision(True, compared)
    if other - one <= standard_error(one, other, held_out):
        return Decision(True, f"{compared}: no worse than chance explains")
    return Decision(False, f"{compared}: worse, kept aside")


def standard_error(one: float, other: float, images: int) -> float:
    """Of the difference of two shares, as if measured on different images: never too small."""
    return sqrt((one * (1 - one) + other * (1 - other)) / images)
