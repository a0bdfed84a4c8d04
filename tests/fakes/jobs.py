"""A job queue in memory, without a worker; implements `backend.ports.jobs.Jobs`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from backend.domain.errors import NotFound, QueueUnreachable
from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobRequest, JobState
from tests.fakes.domain import NOW


@dataclass
class FakeIdleWork:
    """Implements `backend.ports.jobs.IdleWork`."""

    requested: list[ProjectId] = field(default_factory=list)

    def request(self, project: ProjectId) -> None:
        self.requested.append(project)


@dataclass
class FakeJobs:
    """Tests may put jobs into `jobs`, oldest first. `reports_read` counts reports in histories."""

    jobs: dict[JobId, Job] = field(default_factory=dict)
    redis_is_up: bool = True
    reports_read: int = 0

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        self._reach_redis()
        if joined := self.live(request.project):
            return joined, False
        name = JobId(f"job-{len(self.jobs) + 1}")
        queued, chosen = replace(request, task_ids=()), len(request.task_ids)
        self.jobs[name] = Job(name, queued, JobState.QUEUED, created_at=NOW, chosen=chosen)
        return self.jobs[name], True

    def get(self, job: JobId) -> Job:
        self._reach_redis()
        if job not in self.jobs:
            raise NotFound(f"there is no job {job}")
        return self.jobs[job]

    def live(self, project: ProjectId) -> Job | None:
        jobs = self.history(project, reports=False)
        return next((job for job in jobs if job.state.is_live), None)

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        self._reach_redis()
        jobs = [job for job in self.jobs.values() if project in {None, job.request.project}]
        shown = jobs[::-1][:limit]
        self.reports_read += sum(reports and job.report is not None for job in shown)
        return shown if reports else [replace(job, report=None) for job in shown]

    def stop(self, job: JobId) -> Job:
        found = self.get(job)
        if found.state is JobState.QUEUED:
            found = replace(
                found,
                state=JobState.STOPPED,
                reason="stopped on request",
                ended_at=datetime.now(UTC),
            )
        elif found.state.is_live:
            found = replace(found, state=JobState.STOPPING)
        self.jobs[job] = found
        return found

    def start(self, job: JobId) -> None:
        """Take a job, as a worker would."""
        self.jobs[job] = replace(self.get(job), state=JobState.RUNNING)

    def _reach_redis(self) -> None:
        if not self.redis_is_up:
            raise QueueUnreachable("Redis does not answer", "Start it")
