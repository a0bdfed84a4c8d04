"""Forecast how many more certified images more labels bring, and whether that pays.

The number of images that are neither labeled nor certified falls as a power of the number of
labels. The next quarter of labels pays while each label certifies at least one more image (the
cost view of MCAL, Qiu et al. 2023, arXiv 2006.13355).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from backend.domain.items import ItemKind

USUAL_POWER = 0.5
"""Prior exponent: rest ~ labels ** -0.5."""

NEXT_SHARE, FEWEST = 0.25, 10


@dataclass(frozen=True, slots=True)
class Round:
    """Totals of a project after a round; those of audits are labels too."""

    labels: int
    certified: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """About `certified` more images would be certified with `labels` more human labels."""

    labels: int
    certified: int
    pays: bool
    reason: str


def forecast(rounds: Sequence[Round], images: int, items: ItemKind = ItemKind.IMAGE) -> Forecast:
    """Look one step ahead.

    Args:
        rounds: oldest first.
        images: in the project, labeled or not.
        items: what they are, for the reason.
    """
    now = rounds[-1] if rounds else Round(0, 0)
    rest = max(0, images - now.labels - now.certified)
    step = min(rest, max(FEWEST, ceil(NEXT_SHARE * now.labels)))
    if not rest:
        return Forecast(0, 0, False, f"every {items.noun} is labeled or certified")
    if not now.certified:
        words = (
            f"nothing is certified yet: label the {items.plural} of the audit, or more where none "
            "is open"
        )
        return Forecast(step, 0, True, words)
    if rest <= FEWEST:
        words = f"labeling the {items.plural} that are left, {rest}, by hand costs least"
        return Forecast(rest, 0, False, words)
    left = rest * ((now.labels + step) / now.labels) ** -_power(rounds, images)
    gain = min(rest - step, max(0, round(rest - left - step)))
    words = (
        f"about {step} more labels would certify about {gain} more of the {rest} {items.plural} "
        "left"
    )
    if gain >= step:
        return Forecast(step, gain, True, words)
    return Forecast(step, gain, False, f"{words}: labeling those by hand costs no more")


def _power(rounds: Sequence[Round], images: int) -> float:
    """Fit the exponent of the rest, within [0, 2], with USUAL_POWER as a prior of unit weight."""
    seen = [one for one in rounds if one.certified and images > one.labels + one.certified]
    if len(seen) < 2:
        return USUAL_POWER
    labels = np.log([one.labels for one in seen])
    rest = np.log([images - one.labels - one.certified for one in seen])
    spread = labels - labels.mean()
    return float(np.clip((USUAL_POWER - spread @ rest) / (spread @ spread + 1), 0, 2))
