"""Report progress of many small steps at most once a second."""

import time

from backend.domain.steps import Step
from backend.ports.progress import Progress


class ThrottledProgress:
    """Reports a training at most once a second; each report may raise Stopped."""

    def __init__(self, progress: Progress, of: int, detail: str = "") -> None:
        self._progress = progress
        self._detail = detail
        self._of = of
        self._done = -1
        self._last = 0.0

    def next(self) -> None:
        """Begin the next of `of` parts; always reported."""
        self._done += 1
        self._last = 0.0
        self()

    def __call__(self) -> None:
        """Report that the part goes on. Raises what the progress raises, such as Stopped."""
        if time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            self._progress(Step.TRAIN, self._done, self._of, self._detail)
