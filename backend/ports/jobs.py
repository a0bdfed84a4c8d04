"""The queue, and the counter of changed annotations."""

from collections.abc import Sequence
from typing import Protocol

from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Events, Job, JobRequest
from backend.domain.workers import Workforce


class Jobs(Protocol):
    """The job queue, with at most one live job a project."""

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """Queue a job or join the project's live one; returns it, and whether it is new.

        Raises:
            QueueUnreachable: with nothing queued.
        """
        ...

    def get(self, job: JobId) -> Job:
        """Raises NotFound."""
        ...

    def live(self, project: ProjectId) -> Job | None:
        """Return the project's queued or running job."""
        ...

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        """List jobs of one project or of all, newest first; without `reports` none are read."""
        ...

    def stop(self, job: JobId) -> Job:
        """Ask a job to stop; a queued one stops at once."""
        ...


class Workers(Protocol):
    """Knows the workers."""

    def look(self) -> Workforce:
        """Return what runs and what waits, in milliseconds. Raises QueueUnreachable."""
        ...


class IdleWork(Protocol):
    """Work that a worker does for a project while no job waits."""

    def request(self, project: ProjectId) -> None:
        """Ask for it, unless it waits already. Never raises."""
        ...


class AnnotationChanges(Protocol):
    """Counts annotations since the last training. Does not raise without Redis."""

    def changed(self, project: ProjectId, annotations: int = 1) -> None:
        """Add to the count."""
        ...

    def consumed(self, project: ProjectId, annotations: int) -> None:
        """Subtract what a training has seen; what came meanwhile still counts."""
        ...

    def discount(self, project: ProjectId, annotations: int) -> None:
        """Do not count annotations that we created or deleted; their events may come later."""
        ...

    def forget(self, project: ProjectId) -> None:
        """Drop the counts of a project that does not exist."""
        ...

    def read(self, project: ProjectId) -> Events: ...

    def pending(self) -> Sequence[ProjectId]:
        """Return projects whose count is not zero."""
        ...
