"""Should a training start by itself now? Debounced, cooled down, and only when it pays.

The number of new images that pays follows from the project's own learning curve: the error falls
as a power of the number of labeled images (Hestness et al. 2017, arXiv 1712.00409), and the next
training should take a tenth of it away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from backend.domain.jobs import Decision

USUAL_POWER = 0.5
"""Error ~ images ** -0.5: what a curve is taken for until it shows otherwise."""


@dataclass(frozen=True, slots=True)
class Trained:
    """An earlier training: on how many labeled images, and its held-out score in [0, 1]."""

    images: int
    score: float


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a project when an event comes in; times in seconds.

    `obstacle` is the first reason of the preconditions, empty when they hold. `new` counts images
    annotated since the last training. `quiet` is the time since the last annotation, `rested` the
    time since the last training ended.
    """

    obstacle: str
    new: int
    quiet: float
    rested: float = float("inf")
    history: Sequence[Trained] = ()
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How eagerly to train. `debounce` and `cooldown` in seconds, `gain` a share of the error."""

    debounce: float = 5
    cooldown: float = 60
    gain: float = 0.1
    fewest: int = 10
    least_share: float = 0.1


def decide(situation: Situation, pace: Pace | None = None) -> Decision:
    """Yes, or the first thing that it is waiting for."""
    pace = pace or Pace()
    wanted = images_wanted(situation.history, pace)
    hurdles = (
        (situation.busy, "a training of this project is running"),
        (bool(situation.obstacle), situation.obstacle),
        (
            situation.new < wanted,
            f"{situation.new} of {wanted} new images for the next training",
        ),
        (
            situation.quiet < pace.debounce,
            f"people are annotating; waiting for {pace.debounce:g} s of quiet",
        ),
        (
            situation.rested < pace.cooldown,
            f"the last training ended less than {pace.cooldown:g} s ago",
        ),
    )
    for stands, reason in hurdles:
        if stands:
            return Decision(False, reason)
    if not situation.history:
        return Decision(True, "enough labels for the first training")
    return Decision(True, f"{situation.new} new images, {wanted} are worth a training")


def images_wanted(history: Sequence[Trained], pace: Pace) -> int:
    """How many new images the next training needs; at most as many as there are, doubling them."""
    if not history:
        return 0
    have = max(trained.images for trained in history)
    growth = (1 - pace.gain) ** (-1 / _power(history)) - 1
    least = max(pace.fewest, ceil(pace.least_share * have))
    return max(least, min(have, ceil(growth * have)))


def _power(history: Sequence[Trained]) -> float:
    """The steepness of the learning curve, within [0.1, 1]; the usual one counts once."""
    images = np.log([max(1, trained.images) for trained in history])
    errors = np.log([max(0.005, 1 - trained.score) for trained in history])
    spread = images - images.mean()
    steepness = -(spread @ errors - USUAL_POWER) / (spread @ spread + 1)
    return float(np.clip(steepness, 0.1, 1))
