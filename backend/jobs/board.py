"""The job board: one live job a project, and the history of all.

Redis decides what is live (`backend.jobs.records`), the disk remembers (`backend.stores.jobs`). A
job that ended on disk has ended; `backend.jobs.lease` says what becomes of one whose worker died.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from backend.domain.errors import NotFound, OutOfSpace, QueueUnreachable
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.job_events import JobEnd, JobProgressed, JobStarted, StopRequested, advance
from backend.domain.jobs import Job, JobRequest, JobState
from backend.jobs.lease import CRASHED, LAST_LEASE, LOST, Leases, death
from backend.jobs.records import ENTRY, JobRecords
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys
from backend.stores.jobs import JobFiles

log = logging.getLogger(__name__)

ON_REQUEST = "stopped on request"
UNKNOWN = "Redis does not answer; this is the last known state"


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
        client, keys = RedisClient(redis_url), RedisKeys(data_dir)
        self.files = JobFiles(data_dir)
        self.leases = Leases(client, keys, last_lease)
        self.records = JobRecords(client, keys, self.leases, entry=entry)

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """Queue a job unless the project has a live one; returns the job and whether it is new.

        Raises:
            QueueUnreachable: with nothing submitted.
            OutOfSpace: when the list of chosen tasks cannot be written.
        """
        queued = replace(request, task_ids=())
        while True:
            newest = self.records.latest(request.project)
            if newest and (running := self._live(newest)):
                return running, False
            now = datetime.now(UTC)
            name, chosen = _new_id(now, self._newest_id()), len(request.task_ids)
            job = Job(name, queued, JobState.QUEUED, created_at=now, chosen=chosen)
            if self._enqueue(job, request.task_ids, after=newest):
                log.info("job %s of project %s is queued", job.id, request.project)
                self._remember(job)
                return job, True

    def get(self, job: JobId) -> Job:
        """Raises NotFound."""
        if found := self._look(job):
            return found
        raise NotFound(f"no job {job}")

    def live(self, project: ProjectId) -> Job | None:
        """Return the project's live job. Raises QueueUnreachable."""
        newest = self.records.latest(project)
        return self._live(newest) if newest else None

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        """List jobs, newest first; without `reports` faster, because none are read."""
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
        change = self.records.apply(job, StopRequested(reason))
        if change is None:
            return self.get(job)
        if change.after.state is JobState.STOPPED:
            self.records.withdraw(job)
        self._remember(change.after)
        return change.after

    # --- called by workers ----------------------------------------------------------------------

    def start(self, job: JobId) -> Job | None:
        """Start a queued job; None if it was stopped, lost or started by another worker."""
        change = self.records.apply(job, JobStarted())
        if change is None or change.before.state is not JobState.QUEUED:
            return None
        self._remember(change.after)
        return change.after

    def progressed(self, job: JobId, event: JobProgressed) -> str | None:
        """Store progress; returns why the job should stop, '' to go on, None if Redis lost it."""
        change = self.records.apply(job, event)
        if change is None:
            return None
        return "" if change.after.state is JobState.RUNNING else change.after.reason

    def end(self, job: Job, event: JobEnd) -> Job:
        """Close a live job; one that was closed before stays as it was. Never raises."""
        try:
            change = self.records.apply(job.id, event)
        except QueueUnreachable as exc:
            log.warning("cannot tell Redis that job %s ended: %s", job.id, exc)
            change = None
        ended = change.after if change else advance(job, event, datetime.now(UTC))
        self._remember(ended)
        log.info("job %s %s: %s", ended.id, ended.state, ended.reason)
        return ended

    def mark_dead(self, job: Job, reason: str) -> Job:
        """Close a job whose worker is gone."""
        return self.end(job, death(job, reason))

    # --------------------------------------------------------------------------------------------

    def _enqueue(self, job: Job, tasks: Sequence[TaskId], after: JobId | None) -> bool:
        """Queue a job; its list of chosen tasks is there before a worker can take it."""
        if not tasks:
            return self.records.enqueue(job, after=after)
        self.files.save_chosen(job, tasks)
        is_queued = False
        try:
            is_queued = self.records.enqueue(job, after=after)
        finally:
            if not is_queued:
                self.files.forget_chosen(job)
        return is_queued

    def _newest_id(self) -> JobId | None:
        return next(self.files.ids(), None)

    def _live(self, job_id: JobId) -> Job | None:
        job = self._look(job_id)
        return job if job and job.state.is_live else None

    def _look(self, job_id: JobId) -> Job | None:
        filed = self.files.load(job_id)
        if filed:
            return self._settled(filed)
        record = self.records.read(job_id)
        return record.job if record else None

    def _settled(self, filed: Job) -> Job:
        """Bring a job, as the disk remembers it, up to date with Redis."""
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
            return self.mark_dead(record.job, CRASHED)
        return replace(record.job, report=filed.report)

    def _remember(self, job: Job) -> None:
        try:
            self.files.save(job)
        except (OutOfSpace, OSError) as exc:
            log.warning("cannot save that job %s is %s: %s", job.id, job.state, exc)


def _new_id(now: datetime, newest: JobId | None) -> JobId:
    """Return an id that sorts by time, to the microsecond, with four random digits at its end.

    It sorts after the newest id, also if that one was made while the clock ran ahead.
    """
    job_id = _id_at(now)
    if newest is None or newest < job_id:
        return job_id
    return _id_at(_second_of(newest) + timedelta(seconds=1))


def _id_at(moment: datetime) -> JobId:
    return JobId(f"job-{moment:%Y%m%d-%H%M%S}-{moment.microsecond:05x}{secrets.token_hex(2)}")


def _second_of(job_id: JobId) -> datetime:
    return datetime.strptime(job_id[:19], "job-%Y%m%d-%H%M%S").replace(tzinfo=UTC)
