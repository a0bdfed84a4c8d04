"""Progress of work that takes many small steps."""

import time

from backend.ports.progress import Progress


class ThrottledProgress:
    """Reports where one step of a job is, at most once a second; there a stop is noticed."""

    def __init__(self, progress: Progress, step: str, of: int) -> None:
        self._progress = progress
        self._step = step
        self._of = of
        self._done = -1
        self._last = 0.0

    def next(self) -> None:
        """The next of `of` parts begins; reported in any case."""
        self._done += 1
        self._last = 0.0
        self()

    def __call__(self) -> None:
        """Still at it. Raises what the progress raises, Stopped above all."""
        if time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            self._progress(self._step, self._done, self._of)
