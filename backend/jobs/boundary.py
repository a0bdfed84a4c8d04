"""The job boundary: whatever happens inside, the job ends in a state with a reason."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.errors import AutolabelError, QueueUnreachable, Stopped
from backend.domain.ids import JobId, VersionName
from backend.domain.jobs import Job, JobState
from backend.jobs.board import JobBoard
from backend.jobs.records import LOST
from backend.ports.progress import Progress
from backend.stores.atomic_files import room_for

log = logging.getLogger(__name__)

Work = Callable[[Job, Progress], Mapping[str, Any]]
"""What a job does; answers the content of `report.json`."""

REPORT_EVERY = 0.2
"""Seconds between two reports of progress within a step."""


def run(board: JobBoard, job_id: JobId, work: Work, weights: Mapping[str, float]) -> None:
    """Do the work of a queued job.

    `weights` are the expected shares of the steps, in the order in which they happen. The
    report's `version` becomes the job's, its `reason` the reason that is shown.
    """
    job = board.start(job_id)
    if job is None:
        log.info("job %s is not to be run any more", job_id)
        return
    progress = JobProgress(weights, lambda share, step: board.records.report(job_id, share, step))
    end = _attempt(board, job, work, progress)
    board.end(job, end.state, end.reason, end.version)


@dataclass(frozen=True, slots=True)
class _End:
    state: JobState
    reason: str
    version: VersionName | None = None


def _attempt(board: JobBoard, job: Job, work: Work, progress: "JobProgress") -> _End:
    """The one place in a job that catches everything."""
    try:
        with room_for(board.files.folder(job.request.project, job.id)):
            report = work(job, progress)
            board.files.save_report(job, report)
    except Stopped as exc:
        return _End(JobState.STOPPED, progress.stop_reason or exc.message)
    except AutolabelError as exc:
        log.warning("job %s failed: %s", job.id, exc)
        return _End(JobState.FAILED, str(exc))
    except Exception:
        incident = secrets.token_hex(4)
        log.exception("job %s failed: internal error %s", job.id, incident)
        return _End(JobState.FAILED, f"internal error {incident}, see the worker's log")
    version = report.get("version")
    reason = str(report.get("reason") or "done")
    return _End(JobState.FINISHED, reason, VersionName(str(version)) if version else None)


class JobProgress:
    """Tells readers how far the work is, and the work that it should stop.

    At most five reports a second, and one for each step that begins.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        report: Callable[[float, str], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop_reason = ""
        self._weights = weights
        self._report = report
        self._clock = clock
        self._share = 0.0
        self._steps: set[str] = set()
        self._reported_at = float("-inf")

    def __call__(self, step: str, done: int, of: int) -> None:
        """Raises Stopped, and QueueUnreachable where Redis lost the job."""
        self._share = max(self._share, share_done(self._weights, step, done, of))
        now = self._clock()
        begins = step not in self._steps
        if begins or now - self._reported_at >= REPORT_EVERY:
            self._steps.add(step)
            self._reported_at = now
            self._tell(step)

    def _tell(self, step: str) -> None:
        try:
            answer = self._report(self._share, step)
        except QueueUnreachable as exc:
            log.warning("the work goes on without reporting progress: %s", exc)
            return
        if answer is None:
            raise QueueUnreachable(LOST)
        if answer:
            self.stop_reason = answer
            raise Stopped


def share_done(weights: Mapping[str, float], step: str, done: int, of: int) -> float:
    """How much of the whole is done, in [0, 1], while `step` is at `done` of `of`.

    A step may say more after a colon, such as "train: epoch 3 of 17".
    """
    steps, name = list(weights), step.partition(":")[0]
    if name not in weights:
        return 0.0
    before = sum(weights[earlier] for earlier in steps[: steps.index(name)])
    within = min(max(done / of, 0.0), 1.0) if of > 0 else 1.0
    return min((before + weights[name] * within) / sum(weights.values()), 1.0)
