"""The interface that the web process and the command line call."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest
from backend.domain.label_edits import LabelEdit, LabelEditPlan, LabelUse
from backend.domain.projects import Project, ProjectStatus
from backend.domain.versions import ModelVersion
from backend.domain.workers import Workforce
from backend.ports.jobs import Jobs
from backend.ports.label_studio import BackendRegistry, ProjectReader
from backend.ports.reviews import ReviewPage
from backend.ports.stores import Versions


class ConnectableProjects(ProjectReader, BackendRegistry, Protocol):
    """Reads projects, and connects them to this backend."""

    def warnings(
        self,
        project: Project,
        current: VersionName | None,
        same: Collection[VersionName] = (),
    ) -> Sequence[str]:
        """Return what is switched off in Label Studio, for a person to know; does not raise.

        `same` are versions whose predictions were relabeled to those of the current one.
        """
        ...


class WebhookEar(Protocol):
    """Notes webhooks that cannot be acted on."""

    def hear_nameless(self) -> None:
        """Note one that names no project."""
        ...


class Backend(Protocol):
    """What the program can do; built by `backend.wiring`."""

    @property
    def jobs(self) -> Jobs: ...

    @property
    def versions(self) -> Versions: ...

    @property
    def webhooks(self) -> WebhookEar: ...

    @property
    def label_studio(self) -> ConnectableProjects: ...

    @property
    def review(self) -> ReviewPage: ...

    def is_same(self, project: ProjectId, created: int | None) -> bool:
        """Whether our data is that of the project created then, in seconds since 1970.

        Label Studio may have been reset, or be another one, with other projects of these numbers.
        """
        ...

    def version(self, project: ProjectId) -> VersionName:
        """Return the current version, or UNTRAINED; reads one small file."""
        ...

    def cards(self, project: ProjectId) -> Sequence[ModelVersion]:
        """Return all versions, newest first, with the certificates that hold now."""
        ...

    def status(self, project: ProjectId) -> ProjectStatus:
        """Return the status of a project. Counts labels in Label Studio, which may take seconds."""
        ...

    def start(self, request: JobRequest, *, count: bool = True) -> tuple[Job, bool]:
        """Start a job or join the live one; returns it, and whether it is new.

        Without `count`, the job itself counts the labels and fails if there are too few.

        Raises:
            Refused: with all reasons, when the preconditions do not hold.
            QueueUnreachable: when Redis does not answer.
        """
        ...

    def undo(self, job: JobId) -> Job:
        """Queue a job that deletes what another one accepted; returns it.

        Raises:
            NotFound: when it accepted nothing, or was undone already.
            Refused: while a job of the project is queued or running.
        """
        ...

    def label_uses(
        self, project: ProjectId, progress: Callable[[int], None] = ...
    ) -> Sequence[LabelUse]:
        """Count the uses of each label. Reads all tasks; `progress` gets the number read so far."""
        ...

    def plan_labels(
        self, project: ProjectId, edit: LabelEdit, progress: Callable[[int], None] = ...
    ) -> LabelEditPlan:
        """Return what an operation on labels would change. Reads all tasks.

        Raises:
            BadInput: when the labeling config cannot be changed so.
        """
        ...

    def adopt_backup(self, project: ProjectId, file: Path) -> LabelEdit:
        """Return the operation that restores a backup. Raises NotFound and BadInput."""
        ...

    def relabel(self, project: ProjectId, edit: LabelEdit) -> Job:
        """Queue an operation on labels, or join the same one that is queued or running.

        Raises:
            BadInput: when the labeling config cannot be changed so.
            Refused: while another job of the project is queued or running.
        """
        ...

    def accepted(self, job: Job) -> int:
        """Return the number of annotations that `undo` would take back."""
        ...

    def changed(self, project: ProjectId, annotations: int) -> None:
        """Count changed annotations. Takes milliseconds, and does not raise without Redis."""
        ...

    def predict(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any] | list[Any]]:
        """Return one element per task, in order: a prediction as Label Studio stores it, or []."""
        ...

    def report_folder(self, job: Job) -> Path:
        """Return the folder of a job's report and images, which may not exist.

        Plots are `<plot>-light.svg` and `<plot>-dark.svg`, the hardest images
        `task-<task id>.jpg`.
        """
        ...

    def workforce(self) -> Workforce:
        """Return what the workers do and what waits for them. Raises QueueUnreachable."""
        ...

    def health(self) -> Mapping[str, Any]:
        """Return the fields of /health beside `status`, within seconds even while Redis is down."""
        ...
