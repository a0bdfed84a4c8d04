"""Wait for a host that does not answer, and stop calling it when that lasts.

No image may be lost because its host restarts, and a host that is gone must not cost a time-out
for each of its images. So a failed fetch is repeated while its host answers no other fetch either,
up to `patience` seconds after its last answer. Then its images fail at once, except for one attempt
every `OPEN_SECONDS`.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from connectors.errors import FetchFailed, TransientError

MAX_FAILURES: Final = 16
"""Failures in a row that open the breaker: more than run at once, so one restart is tolerated."""

OPEN_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 1.0


class CircuitBreaker:
    """Counts failures in a row for each host. Safe for several threads."""

    def __init__(self, patience: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._failing_since: dict[str, float] = {}
        self._answered_at: dict[str, float] = {}
        self._open_until: dict[str, float] = {}

    @contextmanager
    def guarding(self, host: str) -> Generator[None, None, None]:
        """Count how a fetch from the host in this block ends.

        Raises:
            TransientError: at once, while the breaker of the host is open.
        """
        if self._clock() < self._open_until.get(host, 0.0):
            raise TransientError(
                f"{host} does not answer and is not asked for {OPEN_SECONDS:.0f} s",
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

    def pause(self, host: str, failed_at: float) -> float | None:
        """Return the seconds to wait before retrying an image that first failed at `failed_at`.

        None if waiting is useless: the host answered other fetches meanwhile, so the image itself
        is at fault, or the host has not answered for too long.
        """
        with self._lock:
            if self._answered_at.get(host, float("-inf")) > failed_at:
                return None
            since = self._failing_since.get(host, failed_at)
            return None if self._clock() - since >= self._patience else PAUSE_SECONDS

    def now(self) -> float:
        return self._clock()

    def _count_failure(self, host: str) -> None:
        with self._lock:
            now = self._clock()
            since = self._failing_since.setdefault(host, now)
            self._failures[host] = self._failures.get(host, 0) + 1
            if self._failures[host] >= MAX_FAILURES and now - since >= self._patience:
                self._open_until[host] = now + OPEN_SECONDS

    def _reset(self, host: str) -> None:
        with self._lock:
            self._answered_at[host] = self._clock()
            self._failures.pop(host, None)
            self._failing_since.pop(host, None)
            self._open_until.pop(host, None)
