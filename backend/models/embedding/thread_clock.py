"""Measure how long the threads that embed had nothing to do."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic


class ThreadClock:
    """Adds up the seconds in which fewer than all of `threads` were busy."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._busy = 0
        self._idle_seconds = 0.0
        self._changed = monotonic()

    @contextmanager
    def busy(self) -> Generator[None]:
        """Count the calling thread as busy while the block runs."""
        self._advance(1)
        try:
            yield
        finally:
            self._advance(-1)

    def idle_seconds(self) -> float:
        """Return the seconds so far in which at least one thread had nothing to do."""
        return self._advance(0)

    def _advance(self, change: int) -> float:
        with self._lock:
            now = monotonic()
            if self._busy < self._threads:
                self._idle_seconds += now - self._changed
            self._changed = now
            self._busy += change
            return self._idle_seconds
