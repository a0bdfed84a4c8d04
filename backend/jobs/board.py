"""The job board: one live job a project, and the history of all.

Redis decides what is live (`backend.jobs.records`), the disk remembers (`backend.stores.jobs`). A
job that ended on disk has ended; one that should be live and is not in Redis was lost with it.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from backend.domain.errors import NotFound, OutOfSpace, QueueUnreachable
from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState
from backend.jobs.records import ENTRY, LAST_LEASE, LOST, JobRecords
from backend.jobs.redis_client import RedisClient
from backend.stores.jobs import JobFiles

log = logging.getLogger(__name__)

ON_REQUEST = "stopped on request"
DEAD = "the worker process crashed; start the job again"
UNKNOWN = "Redis does not answer; this is the last that is known"


class JobBoard:
    """Submit, watch and stop jobs. Connects when first needed."""

    def __init__(
        self,
        redis_url: str | Callable[[], str],
        data_dir: Path,
        *,
        entry: str = ENTRY,
        last_lease: int = LAST_LEASE,
    ) -> None:
        self.files = JobFiles(data_dir)
        client = RedisClient(redis_url)
        self.records = JobRecords(client, entry=entry, last_lease=last_lease)

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """The project's live job, and whether it is new.

        Raises:
            QueueUnreachable: with nothing submitted.
        """

        def live(job_id: JobId) -> Job | None:
            return _only_live(self._look(job_id))

        def fresh() -> Job:
            now = datetime.now(UTC)
            return Job(_new_id(now), request, JobState.QUEUED, created_at=now)

        job, is_new = self.records.submit(request.project, live, fresh)
        if is_new:
            log.info("job %s of project %s is queued", job.id, request.project)
            self._remember(job)
        return job, is_new

    def get(self, job: JobId) -> Job:
        """Raises NotFound."""
        if found := self._look(job):
            return found
        raise NotFound(f"no job {job}")

    def live(self, project: ProjectId) -> Job | None:
        """Raises QueueUnreachable."""
        newest = self.records.latest(project)
        return _only_live(self._look(newest)) if newest else None

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        """Newest first; without their `reports`, which take time to read, jobs have none."""
        newest = self.files.newest(project, reports=reports)
        return [self._settled(job) for job in islice(newest, limit)]

    def stop(self, job: JobId, reason: str = ON_REQUEST) -> Job:
        """Ask a job to stop; a queued one stops at once, one that ended stays as it is.

        Raises:
            NotFound: when there is no such job.
            QueueUnreachable: when the job may be live, and Redis does not answer.
        """
        found = self.get(job)
        if not found.state.is_live:
            return found
        stopped = self.records.change(job, lambda current: _stopped(current, reason))
        if stopped is None:
            return self.get(job)
        if stopped.state is JobState.STOPPED:
            self.records.withdraw(job)
        self._remember(stopped)
        return stopped

    # --- what a worker says ---------------------------------------------------------------------

    def start(self, job: JobId) -> Job | None:
        """The job, now running; None where it was stopped, lost or started by another."""
        started: Job | None = None

        def start(current: Job) -> Job:
            nonlocal started
            if current.state is not JobState.QUEUED:
                started = None
                return current
            started = replace(current, state=JobState.RUNNING, started_at=datetime.now(UTC))
            return started

        self.records.change(job, start)
        if started:
            self._remember(started)
        return started

    def end(
        self, job: Job, state: JobState, reason: str, version: VersionName | None = None
    ) -> Job:
        """Close a live job; one that was closed before stays as it was. Never raises."""

        def end(current: Job) -> Job:
            return _ended(current, state, reason, version) if current.state.is_live else current

        try:
            ended = self.records.change(job.id, end)
        except QueueUnreachable as exc:
            log.warning("cannot tell Redis that job %s ended: %s", job.id, exc)
            ended = None
        ended = ended or end(job)
        self._remember(ended)
        log.info("job %s %s: %s", ended.id, ended.state, ended.reason)
        return ended

    def mark_dead(self, job: Job, reason: str) -> Job:
        """Close a job whose worker is gone: stopped if it was asked to stop, else failed."""
        if job.state is JobState.STOPPING:
            return self.end(job, JobState.STOPPED, f"{job.reason}; {reason}")
        return self.end(job, JobState.FAILED, reason)

    # --------------------------------------------------------------------------------------------

    def _look(self, job_id: JobId) -> Job | None:
        filed = self.files.load(job_id)
        if filed:
            return self._settled(filed)
        record = self.records.read(job_id)
        return record.job if record else None

    def _settled(self, filed: Job) -> Job:
        """The truth about a job, of which `filed` is what the disk remembers."""
        if not filed.state.is_live:
            return filed
        try:
            record = self.records.read(filed.id)
        except QueueUnreachable:
            return replace(filed, reason=UNKNOWN)
        if record is None:
            return self.mark_dead(filed, LOST)
        if not record.job.state.is_live:
            self._remember(record.job)
        elif not record.alive:
            return self.mark_dead(record.job, DEAD)
        return replace(record.job, report=filed.report)

    def _remember(self, job: Job) -> None:
        try:
            self.files.save(job)
        except (OutOfSpace, OSError) as exc:
            log.warning(
                "job %s is %s, which the disk will not remember: %s", job.id, job.state, exc
            )


def _new_id(now: datetime) -> JobId:
    """Sorts by time, to the microsecond; the last four digits are chance."""
    return JobId(f"job-{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.token_hex(2)}")


def _only_live(job: Job | None) -> Job | None:
    return job if job and job.state.is_live else None


def _stopped(job: Job, reason: str) -> Job:
    if job.state is JobState.QUEUED:
        return _ended(job, JobState.STOPPED, reason, None)
    if job.state is JobState.RUNNING:
        return replace(job, state=JobState.STOPPING, reason=reason)
    return job


def _ended(job: Job, state: JobState, reason: str, version: VersionName | None) -> Job:
    progress = 1.0 if state is JobState.FINISHED else job.progress
    return replace(
        job,
        state=state,
        reason=reason,
        progress=progress,
        version=version,
        ended_at=datetime.now(UTC),
    )
