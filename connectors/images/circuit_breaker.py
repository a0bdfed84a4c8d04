"""Hosts that do not answer, so that their thousand images do not wait for them one by one."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from connectors.errors import FetchFailed

IN_A_ROW: Final = 16
"""So many fetches in a row must fail: more than run at once, so that one restart is forgiven."""

REST: Final = 30.0
"""Seconds for which a host is then left alone."""


class TransientError(FetchFailed):
    """A failure that may be gone at the next attempt."""


class CircuitBreaker:
    """Counts failures in a row by host. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._asked_again: dict[str, float] = {}

    @contextmanager
    def watching(self, host: str) -> Generator[None, None, None]:
        """Fetch something from a host in this block.

        Raises:
            FetchFailed: at once, while the host is left alone.
        """
        if self._clock() < self._asked_again.get(host, 0.0):
            raise FetchFailed(
                f"{host} failed {IN_A_ROW} times in a row and is left alone for {REST:.0f} s",
                "Is it running, and reachable from here?",
            )
        try:
            yield
        except TransientError:
            self._failed(host)
            raise
        except FetchFailed:
            self._answered(host)
            raise
        self._answered(host)

    def _failed(self, host: str) -> None:
        with self._lock:
            self._failures[host] = self._failures.get(host, 0) + 1
            if self._failures[host] >= IN_A_ROW:
                self._asked_again[host] = self._clock() + REST

    def _answered(self, host: str) -> None:
        with self._lock:
            self._failures.pop(host, None)
            self._asked_again.pop(host, None)
