"""The steps of a running job: their share of the whole, their seconds, and failures in words."""

import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from backend.domain.errors import AutolabelError, QueueUnreachable, ShutDown, Stopped
from backend.domain.job_events import JobFailed, JobProgressed, JobStopped
from backend.domain.steps import EXPECTED_SHARES, Step
from backend.jobs.lease import LOST, SHUT_DOWN
from backend.ports.progress import Progress

log = logging.getLogger(__name__)

REPORT_EVERY = 0.2
"""Seconds between two reports of progress within a step."""


class JobSteps:
    """Implements `backend.ports.progress.Steps`.

    Args:
        report: passes progress on. Returns why the job should stop, '' to go on, None if the
            queue lost the job.
        shares: expected relative durations of the steps, in order.
        clock: seconds.
    """

    def __init__(
        self,
        report: Callable[[JobProgressed], str | None],
        shares: Mapping[Step, float] = EXPECTED_SHARES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds: dict[Step, float] = {}
        self._report = report
        self._shares = shares
        self._clock = clock
        self._share = 0.0
        self._step: Step | None = None
        self._begun = set[Step]()
        self._reported_at = float("-inf")
        self._stop_reason = ""

    @contextmanager
    def __call__(self, step: Step) -> Generator[Progress]:
        """Begin a step, and count the time until the block ends. Raises Stopped."""
        start = self._clock()
        try:
            self.progress(step, 0, 1)
            yield self.progress
        finally:
            self.spent({step: self._clock() - start})

    def spent(self, seconds: Mapping[Step, float]) -> None:
        """Add the seconds of steps that were measured elsewhere."""
        for step, more in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + more

    def progress(self, step: Step, done: int, of: int, detail: str = "") -> None:
        """Pass on at most five reports a second, and one for each step that begins.

        Raises:
            Stopped: when someone asked the job to stop; ShutDown when the worker ends.
            QueueUnreachable: when Redis lost the job.
        """
        self._step = step
        self._share = max(self._share, share_done(self._shares, step, done, of))
        now = self._clock()
        if step not in self._begun or now - self._reported_at >= REPORT_EVERY:
            self._begun.add(step)
            self._reported_at = now
            self._send(JobProgressed(self._share, step, detail))

    def ended_by(self, exc: AutolabelError) -> JobStopped | JobFailed:
        """Return the end of a job that an expected error ended; it explains itself."""
        if isinstance(exc, Stopped):
            return JobStopped(self._stop_reason or exc.message)
        return JobFailed(str(exc))

    def crashed(self, incident: str) -> JobFailed:
        """Return the end of a job that any other error ended.

        People see the incident number only: the message of the error may contain secrets.
        """
        doing = f" while {self._step.doing}" if self._step else ""
        return JobFailed(f"internal error {incident}{doing}, see the worker's log")

    def _send(self, progressed: JobProgressed) -> None:
        try:
            answer = self._report(progressed)
        except QueueUnreachable as exc:
            log.warning("the work goes on without reporting progress: %s", exc)
            return
        if answer is None:
            raise QueueUnreachable(LOST)
        if answer:
            self._stop_reason = answer
            raise ShutDown if answer == SHUT_DOWN else Stopped


def share_done(shares: Mapping[Step, float], step: Step, done: int, of: int) -> float:
    """Return how much of the whole job is done, in [0, 1], at `done` of `of` of a step."""
    if step not in shares:
        return 0.0
    steps = list(shares)
    before = sum(shares[earlier] for earlier in steps[: steps.index(step)])
    within = min(max(done / of, 0.0), 1.0) if of > 0 else 1.0
    return min((before + shares[step] * within) / sum(shares.values()), 1.0)
