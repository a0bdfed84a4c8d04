"""Learning rate schedules over a training's steps or its time, whichever is further.

Nothing here counts in fixed numbers of steps: with 20 images there are a few hundred steps in all,
and a warm-up of 2,000, as large data sets have it, would never end.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

WARM_UP = 0.1
"""Share of the training during which the learning rate rises."""

COOL_DOWN = 0.2
"""Share of the training, at its end, during which the rate of `PlateauSchedule` falls to zero."""

PATIENCE = 0.2
"""Share of the training without a gain after which `PlateauSchedule` lowers the rate."""

DROP = 0.3
"""Factor by which it lowers it."""

DROPS = 3
"""Drops after which the training is over: a fortieth of the highest rate changes little."""


@dataclass(slots=True)
class Schedule(ABC):
    """How far a training is. `seconds`: its time budget; `started`: the clock at its start."""

    steps: int
    seconds: float
    started: float
    step: int = 0
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    @property
    def share(self) -> float:
        """Share of the training that is done, 0 to 1.

        Time counts in whole steps: the clock changes nothing, and a training repeats exactly,
        unless time runs short.
        """
        due = math.floor(self.steps * (self.clock() - self.started) / self.seconds)
        return min(1.0, max(self.step, due) / self.steps)

    @property
    def is_over(self) -> bool:
        return self.share >= 1

    @property
    def rate(self) -> float:
        """Learning rate as a share of the highest, after the warm-up of `WARM_UP`."""
        rising = max((self.step + 1) / max(1.0, WARM_UP * self.steps), self.share / WARM_UP)
        return min(1.0, rising) * self._decay()

    def observe(self, score: float) -> None:  # noqa: B027 - only some schedules take notice
        """Note how good the network is after an epoch; higher is better."""

    @abstractmethod
    def _decay(self) -> float: ...


class CosineSchedule(Schedule):
    """A cosine (SGDR, arXiv 1608.03983) that reaches zero at the end of the training."""

    __slots__ = ()

    def _decay(self) -> float:
        return (1 + math.cos(math.pi * self.share)) / 2


@dataclass(slots=True)
class PlateauSchedule(Schedule):
    """A constant rate that drops when the network stops improving, and falls to zero at the end.

    `best`: the best score so far; `since`: share of the training when it was reached, or when the
    rate dropped last; `drops`: how often it has.
    """

    best: float = -math.inf
    since: float = 0.0
    drops: int = 0

    @property
    def is_over(self) -> bool:
        return self.share >= 1 or self.drops >= DROPS

    def observe(self, score: float) -> None:
        if score > self.best:
            self.best, self.since = score, self.share
        elif self.share - self.since >= PATIENCE:
            self.drops, self.since = self.drops + 1, self.share

    def _decay(self) -> float:
        return DROP**self.drops * min(1.0, (1 - self.share) / COOL_DOWN)
