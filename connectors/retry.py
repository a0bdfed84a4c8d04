"""Repeat a failed call: one loop for API requests and for image downloads."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from connectors.errors import ConnectorError

Result = TypeVar("Result")

Delay = Callable[[ConnectorError, int], float | None]
"""Maps an error and the number of attempts made so far to seconds to wait; None to give up."""

Wait = Callable[[float], bool]
"""Waits so many seconds; returns False at once if that would take too long, or was cancelled."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow by `factor` from `first` up to `longest` seconds.

    Up to half of a wait is taken off at random, so that clients do not retry in step.
    """

    first: float
    factor: float
    longest: float

    def seconds(self, attempts: int) -> float:
        grown = min(self.longest, self.first * self.factor ** (attempts - 1))
        return grown * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret


def with_retries(call: Callable[[], Result], delay: Delay, wait: Wait) -> Result:
    """Call until it succeeds, `delay` gives up, or `wait` has no time left.

    Raises:
        ConnectorError: that of the last attempt.
    """
    attempts = 0
    while True:
        attempts += 1
        try:
            return call()
        except ConnectorError as exc:
            seconds = delay(exc, attempts)
            if seconds is None or not wait(seconds):
                raise
