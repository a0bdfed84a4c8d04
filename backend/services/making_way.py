"""Let work of an idle worker make way for jobs."""

import time
from collections.abc import Callable

from backend.domain.errors import Stopped
from backend.domain.steps import Step
from backend.ports.progress import Progress

LOOK_EVERY = 1.0
"""Seconds between two looks whether a job waits."""


def making_way(
    must_stop: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Progress:
    """Return a progress callback that raises Stopped when `must_stop` says that a job waits."""
    looked = clock()

    def progress(_step: Step, _done: int, _of: int, _detail: str = "") -> None:
        nonlocal looked
        if clock() - looked < LOOK_EVERY:
            return
        looked = clock()
        if must_stop():
            raise Stopped

    return progress
