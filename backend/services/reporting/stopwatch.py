"""How long each part of a job took."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by name, summed over all uses of the name."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Generator[None]:
        """Count the time spent inside the `with` block."""
        start = self._clock()
        try:
            yield
        finally:
            spent = self._clock() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
