"""The whole application, as the web process and the command line see it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest
from backend.domain.projects import ProjectStatus
from backend.domain.versions import ModelVersion
from backend.ports.jobs import Jobs
from backend.ports.label_studio import LabelStudio
from backend.ports.stores import Versions


class Backend(Protocol):
    """Everything that a face (web, command line) may ask for; built by `backend.wiring`."""

    @property
    def jobs(self) -> Jobs: ...

    @property
    def versions(self) -> Versions: ...

    @property
    def label_studio(self) -> LabelStudio: ...

    def version(self, project: ProjectId) -> VersionName:
        """The current version, UNTRAINED without one; reads one small file."""
        ...

    def cards(self, project: ProjectId) -> Sequence[ModelVersion]:
        """All versions, newest first, with what was certified after they were published."""
        ...

    def status(self, project: ProjectId) -> ProjectStatus:
        """Counts labels through Label Studio: seconds for a large project."""
        ...

    def start(self, request: JobRequest, *, count: bool = True) -> tuple[Job, bool]:
        """The project's live job, and whether it is new.

        Without `count` the job itself counts labels, and fails where they are too few.

        Raises:
            Refused: with every reason, when the preconditions do not hold.
            QueueUnreachable: when Redis does not answer.
        """
        ...

    def undo(self, job: JobId) -> int:
        """Take back what a job accepted; how many annotations there were.

        Raises:
            NotFound: when it accepted nothing, or was undone before.
        """
        ...

    def accepted(self, job: Job) -> int:
        """How many annotations `undo` would take back."""
        ...

    def changed(self, project: ProjectId, annotations: int) -> None:
        """Note that people annotated; milliseconds, never raises for want of Redis."""
        ...

    def predict(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any] | list[Any]]:
        """One element a task, in order: a prediction as Label Studio stores it, or []."""
        ...

    def report_folder(self, job: Job) -> Path:
        """Where a job's report and pictures lie; it may not be there.

        Plots are `<plot>-light.svg` and `<plot>-dark.svg`, the hardest images
        `task-<task id>.jpg`.
        """
        ...

    def health(self) -> Mapping[str, Any]:
        """What /health says beside `status`: answers in milliseconds, with Redis down too."""
        ...
