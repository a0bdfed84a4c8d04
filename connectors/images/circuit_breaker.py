"""Stop asking a host that keeps failing, so that its images do not time out one by one."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from connectors.errors import FetchFailed, TransientError

MAX_FAILURES: Final = 16
"""Failures in a row that open the breaker: more than run at once, so one restart is tolerated."""

OPEN_SECONDS: Final = 30.0


class CircuitBreaker:
    """Counts failures in a row for each host. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._open_until: dict[str, float] = {}

    @contextmanager
    def guarding(self, host: str) -> Generator[None, None, None]:
        """Count how a fetch from the host in this block ends.

        Raises:
            TransientError: at once, while the breaker of the host is open.
        """
        if self._clock() < self._open_until.get(host, 0.0):
            raise TransientError(
                f"{host} failed {MAX_FAILURES} times in a row and is not asked for"
                f" {OPEN_SECONDS:.0f} s",
                "Is it running, and reachable from here?",
            )
        try:
            yield
        except TransientError:
            self._count_failure(host)
            raise
        except FetchFailed:
            self._reset(host)
            raise
        self._reset(host)

    def _count_failure(self, host: str) -> None:
        with self._lock:
            self._failures[host] = self._failures.get(host, 0) + 1
            if self._failures[host] >= MAX_FAILURES:
                self._open_until[host] = self._clock() + OPEN_SECONDS

    def _reset(self, host: str) -> None:
        with self._lock:
            self._failures.pop(host, None)
            self._open_until.pop(host, None)
