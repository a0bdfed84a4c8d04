"""The workers of an installation: what each does, and what waits for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import WorkerQueue


@dataclass(frozen=True, slots=True)
class WorkerActivity:
    """A running worker; `doing` is the queue that its work came from, None while it is idle."""

    name: str
    takes: frozenset[WorkerQueue]
    doing: WorkerQueue | None = None
    project: ProjectId | None = None
    job: JobId | None = None


@dataclass(frozen=True, slots=True)
class Workforce:
    """All workers that run, and how much waits in each queue."""

    workers: tuple[WorkerActivity, ...] = ()
    waiting: Mapping[WorkerQueue, int] = field(default_factory=dict[WorkerQueue, int])

    def takers(self, queue: WorkerQueue) -> int:
        """Count the workers that take from a queue."""
        return sum(queue in worker.takes for worker in self.workers)

    @property
    def is_missed(self) -> bool:
        """Whether a job waits though no worker takes jobs."""
        return self.waiting.get(WorkerQueue.JOBS, 0) > 0 and not self.takers(WorkerQueue.JOBS)
