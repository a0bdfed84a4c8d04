"""The steps of a job, and the callback by which long work reports progress and is stopped."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from backend.domain.jobs import Job, JobResult
from backend.domain.steps import Step


class Progress(Protocol):
    """Called by long work, at least every second or two."""

    def __call__(self, step: Step, done: int, of: int, detail: str = "", /) -> None:
        """Report `done` of `of` within `step`. Call at least every second or two.

        Args:
            step: of the job.
            done: parts that are finished.
            of: parts in all.
            detail: more about the step, such as `epoch 3 of 17`.

        Raises:
            Stopped: when someone asked the job to stop.
        """
        ...


class Steps(Protocol):
    """The steps of a running job: reported when they begin, and timed."""

    @property
    def progress(self) -> Progress: ...

    @property
    def seconds(self) -> Mapping[Step, float]:
        """Seconds spent in each step so far."""
        ...

    def spent(self, seconds: Mapping[Step, float]) -> None:
        """Add the seconds of steps that overlap, such as FETCH and EMBED, measured elsewhere."""
        ...

    def __call__(self, step: Step) -> AbstractContextManager[Progress]:
        """Begin a step, and count the time until the block ends.

        Raises:
            Stopped: when someone asked the job to stop.
        """
        ...


Work = Callable[[Job, Steps], JobResult]
"""A use case that runs as a job."""
