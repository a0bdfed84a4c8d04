"""Workers and queues for people and programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field

from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import WorkerQueue
from backend.domain.workers import WorkerActivity, Workforce

START_ONE = "Run `autolabel up`, or `autolabel worker` with `jobs` among its AUTOLABEL_QUEUES"
NO_WORKER = "no worker takes jobs"

_WAITING = {
    WorkerQueue.JOBS: ("job", "jobs"),
    WorkerQueue.SHARDS: ("part of a job", "parts of jobs"),
    WorkerQueue.IDLE: ("background task", "background tasks"),
}


@dataclass(frozen=True, slots=True)
class WorkerJson:
    """A running worker; `doing` is idle, jobs, shards or idle-work."""

    name: str
    doing: str
    project: ProjectId | None
    job: JobId | None
    summary: Annotated[str, Field(description="What it does, in words.")]


@dataclass(frozen=True, slots=True)
class WorkforceJson:
    """The workers that run, and how much waits for them."""

    workers: Sequence[WorkerJson]
    jobs_waiting: int
    shards_waiting: int
    idle_work_waiting: int
    summary: Annotated[str, Field(description="All of this as a sentence, and what to do.")]

    @classmethod
    def of(cls, found: Workforce) -> Self:
        return cls(
            [
                WorkerJson(one.name, _doing(one), one.project, one.job, activity(one))
                for one in found.workers
            ],
            found.waiting.get(WorkerQueue.JOBS, 0),
            found.waiting.get(WorkerQueue.SHARDS, 0),
            found.waiting.get(WorkerQueue.IDLE, 0),
            summary(found),
        )


def summary(found: Workforce) -> str:
    """Return what the workers do and what waits; where nobody works on jobs, what to do."""
    if not found.takers(WorkerQueue.JOBS):
        return f"{NO_WORKER}; {waiting(found)}. {START_ONE}"
    activities = ", ".join(activity(one) for one in found.workers)
    count = len(found.workers)
    return f"{count} worker{'s' if count > 1 else ''} ({activities}); {waiting(found)}"


def activity(worker: WorkerActivity) -> str:
    """Return what a worker does: `job-… of project 3`."""
    match worker.doing:
        case None:
            return "idle"
        case WorkerQueue.JOBS:
            return f"{worker.job} of project {worker.project}"
        case WorkerQueue.SHARDS:
            return f"helps with {worker.job} of project {worker.project}"
        case WorkerQueue.IDLE:
            return f"cleaning up or embedding ahead in project {worker.project}"


def waiting(found: Workforce) -> str:
    """Return what waits: `2 jobs and 1 background task wait`."""
    parts = [
        f"{count} {_WAITING[queue][count > 1]}"
        for queue in WorkerQueue
        if (count := found.waiting.get(queue, 0))
    ]
    total = sum(found.waiting.values())
    return f"{' and '.join(parts)} wait{'s' if total == 1 else ''}" if parts else "nothing waits"


def _doing(worker: WorkerActivity) -> str:
    if worker.doing is None:
        return "idle"
    return "idle-work" if worker.doing is WorkerQueue.IDLE else worker.doing.value
