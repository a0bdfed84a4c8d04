"""The queue of jobs, kept in memory; nobody works on it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from backend.domain.errors import NotFound
from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobRequest, JobState


class FakeJobs:
    def __init__(self) -> None:
        self._jobs: dict[JobId, Job] = {}

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        if joined := self.live(request.project):
            return joined, False
        number = len(self._jobs) + 1
        job_id = JobId(f"job-20261121-080000-{number:04x}")
        job = Job(job_id, request, JobState.QUEUED, created_at=datetime.now(UTC))
        self._jobs[job_id] = job
        return job, True

    def get(self, job: JobId) -> Job:
        if job not in self._jobs:
            raise NotFound(f"no job {job}")
        return self._jobs[job]

    def live(self, project: ProjectId) -> Job | None:
        return next((job for job in self.history(project) if job.state.is_live), None)

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        jobs = [job for job in self._jobs.values() if project in {None, job.request.project}]
        shown = jobs[::-1][:limit]
        return shown if reports else [replace(job, report=None) for job in shown]

    def stop(self, job: JobId) -> Job:
        found = self.get(job)
        if found.state is JobState.QUEUED:
            ended = {"state": JobState.STOPPED, "ended_at": datetime.now(UTC)}
            self._jobs[job] = replace(found, reason="stopped on request", **ended)
        elif found.state is JobState.RUNNING:
            self._jobs[job] = replace(found, state=JobState.STOPPING)
        return self._jobs[job]

    def start(self, job: JobId) -> None:
        """What a worker would do."""
        self._jobs[job] = replace(self.get(job), state=JobState.RUNNING)

    def finish(self, job: JobId) -> None:
        """What a worker would do."""
        self._jobs[job] = replace(self.get(job), state=JobState.FINISHED, reason="done")
