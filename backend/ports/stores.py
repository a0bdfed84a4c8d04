"""What the data folder stores: model versions, ledgers, predictions, images of a report."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from backend.domain.answers import ImageRef
from backend.domain.audits import Audit, CertificateFile
from backend.domain.ids import AuditId, ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job
from backend.domain.json import Json
from backend.domain.label_edits import LabelEdit
from backend.domain.projects import LastLook, Project
from backend.domain.version_names import TRAINED
from backend.domain.versions import Ledger, ModelVersion


class PublishedVersions(Protocol):
    """Reads the model versions of each project."""

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        """Return all versions of a project, newest first."""
        ...

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Raises NotFound."""
        ...

    def current(self, project: ProjectId) -> ModelVersion | None:
        """Return the version whose predictions people see, None before the first."""
        ...


class VersionFolders(Protocol):
    """Locates the models of a version."""

    def folder(self, project: ProjectId, version: VersionName, control: ControlName) -> Path:
        """Return the folder of one control's model. Raises NotFound."""
        ...


class Versions(PublishedVersions, VersionFolders, Protocol):
    """Immutable folders of published models, and one pointer to the current one."""

    def publish(
        self,
        project: ProjectId,
        card: Callable[[VersionName], ModelVersion],
        write: Callable[[Path], None],
        origin: str = TRAINED,
    ) -> ModelVersion:
        """Write into a hidden folder, then make it appear at once. Raises OutOfSpace.

        The name of the version begins with `origin`.
        """
        ...

    def adopt(self, project: ProjectId, source: Path) -> ModelVersion:
        """Publish a copy of a version folder of another project or machine.

        Raises:
            BadInput: when the folder holds no complete version.
        """
        ...

    def read(self, source: Path) -> ModelVersion:
        """Return the card in a folder of a version. Raises BadInput."""
        ...

    def relabel(
        self, project: ProjectId, version: VersionName, mapping: Mapping[Label, Label], reason: str
    ) -> ModelVersion:
        """Publish a copy of a version whose labels turned into others, "" for deleted ones.

        Raises NotFound.
        """
        ...

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Make a version the current one. Raises NotFound."""
        ...

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        """Delete the oldest beyond `keep`; never the current one, nor an imported one."""
        ...


class Ledgers(Protocol):
    """The ledger of each project: its audits, and what was accepted."""

    def load(self, project: ProjectId) -> Ledger:
        """Return the ledger; an empty one if the project never had an audit."""
        ...

    def save(self, project: ProjectId, ledger: Ledger) -> None: ...

    def change(self, project: ProjectId, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Apply `change` to the newest ledger and save it, while no other writer can."""
        ...


class Audits(Protocol):
    """Audits as they were drawn, and the certificates of those that passed."""

    def save(self, audit: Audit) -> None:
        """Write an audit. Raises OutOfSpace."""
        ...

    def load(self, project: ProjectId, audit: AuditId) -> Audit:
        """Raises NotFound."""
        ...

    def certify(self, project: ProjectId, job: JobId, file: CertificateFile) -> None:
        """Write `certificate.json` beside the report of a job. Raises OutOfSpace."""
        ...

    def certificate(self, project: ProjectId, job: JobId) -> CertificateFile:
        """Raises NotFound."""
        ...


class StoredPredictions(Protocol):
    """The predictions of each version by task, so that /predict need not compute them again."""

    def put(
        self, project: ProjectId, version: VersionName, predictions: Mapping[ImageRef, Json]
    ) -> None:
        """Store predictions in Label Studio's JSON. Raises OutOfSpace."""
        ...

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Json]:
        """Return the stored predictions of those tasks that still show the same image."""
        ...

    def known(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> frozenset[TaskId]:
        """Return the tasks of which `get` would return a prediction; reads none."""
        ...

    def relabel(
        self,
        project: ProjectId,
        old: VersionName,
        new: VersionName,
        change: Callable[[Json], Json],
    ) -> None:
        """Store the predictions of a version under another one too, each changed."""
        ...

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        """Delete the predictions of all versions but these."""
        ...


class LabelBackups(Protocol):
    """Backups of label operations, each of which is the journal of its operation too.

    A row is a JSON object that says `what` it is; all that is written is on disk on return.
    """

    def begin(self, project: ProjectId, name: str, edit: LabelEdit, label_config: str) -> None:
        """Begin a backup. Raises OutOfSpace."""
        ...

    def append(self, project: ProjectId, name: str, rows: Sequence[Json]) -> None:
        """Add rows. Raises OutOfSpace."""
        ...

    def rows(self, project: ProjectId, name: str) -> Iterator[Json]:
        """Yield all rows, in order. Raises NotFound."""
        ...

    def edit(self, project: ProjectId, name: str) -> tuple[LabelEdit, str]:
        """Return the operation, and the labeling config before it.

        Raises:
            NotFound: when there is no such backup.
            BadInput: when it is no backup of this project.
        """
        ...

    def unfinished(self, project: ProjectId) -> str | None:
        """Return the newest backup if its operation did not come to its end."""
        ...

    def keep_file(self, project: ProjectId, name: str, source: Path) -> str:
        """Copy a file into the backup; returns the name of the copy. Raises OutOfSpace."""
        ...

    def bring_back(self, project: ProjectId, name: str, copy: str, target: Path) -> bool:
        """Copy a kept file back, unless there is one; returns whether it was. Raises OutOfSpace."""
        ...

    def path(self, project: ProjectId, name: str) -> Path:
        """Return the file of a backup."""
        ...

    def adopt(self, project: ProjectId, file: Path) -> str:
        """Return the name of the backup in a file, which is copied if it lies elsewhere.

        Raises:
            NotFound: when there is no such file.
            BadInput: when it is no backup of this project.
        """
        ...


class ProjectOrigins(Protocol):
    """Which project of Label Studio the data of a project number belongs to."""

    def is_same(self, project: ProjectId, created: int | None) -> bool:
        """Whether it is the one created at these seconds since 1970; True where that is unknown."""
        ...

    def require(self, project: Project) -> None:
        """Raises BadInput when the data here belongs to another project of this number."""
        ...

    def claim(self, project: Project) -> None:
        """Set the data of another project of this number aside, and bring back this one's, if any.

        Only while no job of this number is live. Raises OutOfSpace.
        """
        ...


class PolledProjects(Protocol):
    """Which projects the backend looks at itself, and what it saw last."""

    def connect(self, project: ProjectId) -> None:
        """Look at this project from now on. Raises OutOfSpace."""
        ...

    def disconnect(self, project: ProjectId) -> None:
        """Look at this project no more."""
        ...

    def all(self) -> Sequence[ProjectId]:
        """Return the connected projects, and those with a model that nobody disconnected."""
        ...

    def last_look(self, project: ProjectId) -> LastLook | None:
        """Return what was remembered, None before the first look."""
        ...

    def remember(self, project: ProjectId, look: LastLook) -> None:
        """Raises OutOfSpace."""
        ...


class FirstWalls(Protocol):
    """Which projects are to be shown what to label first, and which have been."""

    def want(self, project: ProjectId) -> None:
        """Ask for it, unless it was shown before. Raises OutOfSpace."""
        ...

    def is_wanted(self, project: ProjectId) -> bool: ...

    def remember(self, project: ProjectId) -> None:
        """Note that it was shown. Raises OutOfSpace."""
        ...


class ListedTasks(Protocol):
    """The unlabeled tasks that a round of each project listed last: a guess of the next list."""

    def remember(self, project: ProjectId, tasks: Sequence[ImageRef]) -> None:
        """Keep these, unless they are too large to be worth it. Raises OutOfSpace."""
        ...

    def last(self, project: ProjectId) -> Sequence[ImageRef]:
        """Return what was kept last; nothing where nothing was, or where it cannot be read."""
        ...


class Illustrations(Protocol):
    """Plots and thumbnails beside a job's report, for the page."""

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        """Draw the plots of a report, and a thumbnail of each of the hardest images.

        What cannot be drawn is left out. Raises OutOfSpace.
        """
        ...
