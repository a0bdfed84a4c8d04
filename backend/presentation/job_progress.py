"""Follow a running job on the terminal."""

import time
from collections.abc import Callable

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from backend.domain.jobs import Job, JobState
from backend.ports.jobs import Jobs
from backend.presentation import sentences, terminal

POLL_SECONDS = 0.25


def follow(jobs: Jobs, job: Job, *, quiet: bool = False) -> Job:
    """Show progress until the job ends: a bar on a terminal, plain lines otherwise.

    Returns:
        The job after it ended.
    """
    if quiet:
        return _wait(jobs, job, lambda _: None)
    if not terminal.out.is_terminal:
        return _wait(jobs, job, _PlainLines())
    bar = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=terminal.out,
    )
    with bar:
        row = bar.add_task("queued", total=1.0)

        def show(now: Job) -> None:
            bar.update(row, completed=now.progress, description=_activity(now))

        return _wait(jobs, job, show)


class _PlainLines:
    """Print a line whenever the activity changes."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, job: Job) -> None:
        if _activity(job) != self._last:
            self._last = _activity(job)
            terminal.out.print(f"{job.progress:4.0%} {self._last}", highlight=False)


def _activity(job: Job) -> str:
    return sentences.step(job) if job.state is JobState.RUNNING else job.state.value


def _wait(jobs: Jobs, job: Job, show: Callable[[Job], None]) -> Job:
    while job.state.is_live:
        show(job)
        time.sleep(POLL_SECONDS)
        job = jobs.get(job.id)
    show(job)
    return job
