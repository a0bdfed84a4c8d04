"""Progress of a training that takes many small steps."""

import time

from backend.domain.steps import Step
from backend.ports.progress import Progress


class ThrottledProgress:
    """Reports progress of a training at most once a second, and notices a stop there."""

    def __init__(self, progress: Progress, of: int, detail: str = "") -> None:
        self._progress = progress
        self._detail = detail
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
            self._progress(Step.TRAIN, self._done, self._of, self._detail)
