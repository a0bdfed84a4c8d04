"""The queue, and the counter of changed annotations."""

from collections.abc import Sequence
from typing import Protocol

from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Events, Job, JobRequest


class Jobs(Protocol):
    """The queue: one live job a project, the others wait their turn."""

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """The project's live job, and whether it is new. Raises QueueUnreachable."""
        ...

    def get(self, job: JobId) -> Job:
        """Raises NotFound."""
        ...

    def live(self, project: ProjectId) -> Job | None: ...

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        """Newest first; without their `reports`, which take time to read, jobs have none."""
        ...

    def stop(self, job: JobId) -> Job:
        """Ask a job to stop; a queued one stops at once."""
        ...


class AnnotationChanges(Protocol):
    """What people changed since the last training. Never raises for want of Redis."""

    def changed(self, project: ProjectId, annotations: int = 1) -> None: ...

    def consumed(self, project: ProjectId, annotations: int) -> None:
        """Subtract what a training has seen, so that what came meanwhile still counts."""
        ...

    def read(self, project: ProjectId) -> Events: ...

    def pending(self) -> Sequence[ProjectId]:
        """Projects in which something changed since their last training."""
        ...
