"""The Protocols through which use cases see the outside.

Implementations: `backend.label_studio.gateway` (Label Studio, image files), `backend.models.embedding` (the
gallery), `backend.stores.versions`, `backend.jobs.board`, `backend.wiring`. Fakes of the same Protocols stand in
`tests/fakes/` and pass the same contract tests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.domain.answers import (
    ControlName,
    Events,
    ImageRef,
    Job,
    JobId,
    JobRequest,
    LabeledImage,
    LabelSchema,
    Ledger,
    ModelVersion,
    NoPrediction,
    Prediction,
    Project,
    ProjectId,
    ProjectStatus,
    TaskId,
    VersionName,
)
from backend.domain.batches import Pictures
from backend.domain.geometry import Box


class Progress(Protocol):
    """How long work says where it is, and learns that it should stop."""

    def __call__(self, step: str, done: int, of: int, /) -> None:
        """Report `done` of `of` within `step`.

        Raises:
            Stopped: when someone asked to stop. Call at least every second or two.
        """
        ...


Fetch = Callable[[ImageRef], Path]
"""The local file of an image. Raises UnreadableImage."""


class ImageFiles(Protocol):
    """Addresses to local files: fetched once, kept in a bounded cache."""

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        """The content digest of each image, in order; fetches the unknown ones concurrently."""
        ...

    def path(self, ref: ImageRef) -> Path:
        """The local file, fetched again if the cache let it go. Raises UnreadableImage."""
        ...


class Gallery(Protocol):
    """Images as the models see them: fetched, decoded, embedded, cached."""

    @property
    def backbone(self) -> str: ...

    @property
    def device(self) -> str: ...

    def look(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[Pictures, Sequence[NoPrediction]]:
        """Readable images in the order asked for, and the others with why not."""
        ...

    def look_altered(
        self, refs: Sequence[ImageRef], alteration: int, progress: Progress
    ) -> tuple[Pictures, Sequence[NoPrediction]]:
        """The same of altered copies: blurred (19), mirrored (20) or cropped (21)."""
        ...

    def fetch_altered(self, ref: ImageRef, alteration: int, folder: Path) -> Path:
        """An altered copy, written into the folder. Raises UnreadableImage."""
        ...

    def look_into(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        """Mean brightness and sharpness of at least one box. Raises UnreadableImage."""
        ...

    def fetch(self, ref: ImageRef) -> Path:
        """The local file. Raises UnreadableImage."""
        ...

    def timings(self) -> Mapping[str, float]:
        """Seconds spent since the start: `fetch` (waiting for files) and `embed`."""
        ...

    def notes(self) -> Mapping[str, int]:
        """How many images were changed to be read, by kind, such as `composited_over_white`."""
        ...


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a bulk import did: predictions stored, and those that Label Studio dropped."""

    created: int
    dropped: tuple[NoPrediction, ...] = ()


class LabelStudio(Protocol):
    """Label Studio, in the words of the domain.

    Every method raises LabelStudioUnreachable, LabelStudioDenied, or NotFound for a project
    that is not there.
    """

    def project(self, project: ProjectId) -> Project: ...

    def projects(self) -> Sequence[Project]: ...

    def labeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        """Tasks with an answer that counts: ground truth wins, else the newest, never a skip."""
        ...

    def unlabeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        """Tasks that nobody answered or skipped, in order of task id."""
        ...

    def count_unlabeled(self, project: ProjectId) -> int:
        """How many tasks `unlabeled` would yield; one quick call."""
        ...

    def refs(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Iterator[ImageRef]:
        """Those of the tasks that are still there, labeled or not."""
        ...

    def predicted(self, project: ProjectId, version: VersionName) -> frozenset[TaskId]:
        """Tasks that already carry a prediction of this version."""
        ...

    def push(
        self, project: ProjectId, schema: LabelSchema, predictions: Sequence[Prediction]
    ) -> Pushed:
        """Store predictions; a task deleted meanwhile, or an invalid one, costs itself only."""
        ...

    def show_version(self, project: ProjectId, version: VersionName) -> None:
        """Make scores, ordering and uncertainty sampling use this version."""
        ...

    def forget_versions(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        """Remove predictions of our own versions, except those to keep."""
        ...

    def forget_predictions(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        """Remove predictions of all our versions from these tasks."""
        ...

    def refresh_tabs(self, project: ProjectId) -> None:
        """Create or update the Data Manager tabs; tabs that people changed in name are theirs."""
        ...

    def list_in_tab(self, project: ProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        """Make a tab that lists exactly these tasks; none at all removes the tab."""
        ...

    def set_clusters(
        self, project: ProjectId, version: VersionName, clusters: Mapping[TaskId, int]
    ) -> None:
        """Give predictions their cluster, one call each; uncertainty sampling spreads over it."""
        ...

    def show_groups(
        self, project: ProjectId, groups: Sequence[Sequence[TaskId]]
    ) -> Sequence[VersionName]:
        """Show these groups in place of all earlier ones; their names, in order."""
        ...

    def accept(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Sequence[int]:
        """Turn predictions into annotations that remember them; the annotations' ids.

        A task that has an annotation, or was skipped, is left as it is.
        """
        ...

    def untouched(self, project: ProjectId, tasks: Sequence[TaskId]) -> Sequence[int]:
        """Annotations of these tasks that `accept` made and no person changed."""
        ...

    def take_back(
        self, project: ProjectId, tasks: Sequence[TaskId], annotations: Sequence[int]
    ) -> None:
        """Delete these annotations of these tasks; one that is gone already is fine.

        One that a person changed since is that person's, and stays.
        """
        ...

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        """Register this backend and its webhook; safe to repeat. Says what was done."""
        ...

    def disconnect(self, project: ProjectId, backend_url: str) -> None:
        """Remove this backend and its webhook; safe to repeat."""
        ...


class Versions(Protocol):
    """Immutable directories of published models, and one pointer to the current one."""

    def publish(
        self,
        project: ProjectId,
        card: Callable[[VersionName], ModelVersion],
        write: Callable[[Path], None],
    ) -> ModelVersion:
        """Write into a hidden folder, then make it appear at once. Raises OutOfSpace."""
        ...

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        """Newest first."""
        ...

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        """Raises NotFound."""
        ...

    def folder(self, project: ProjectId, version: VersionName, control: ControlName) -> Path:
        """Where the model of one control lies: a folder of the version, named by the control."""
        ...

    def current(self, project: ProjectId) -> ModelVersion | None: ...

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion: ...

    def prune(self, project: ProjectId, keep: int) -> Sequence[VersionName]:
        """Delete the oldest beyond `keep`; never the current one."""
        ...


class Ledgers(Protocol):
    """The ledger of each project."""

    def load(self, project: ProjectId) -> Ledger:
        """An empty one for a project that never drew a validation lane."""
        ...

    def save(self, project: ProjectId, ledger: Ledger) -> None: ...

    def change(self, project: ProjectId, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Save what `change` makes of the newest one, which nobody else changes meanwhile."""
        ...


class StoredPredictions(Protocol):
    """What each version said of each task, so that /predict need not compute it again."""

    def put(
        self, project: ProjectId, version: VersionName, wire: Mapping[ImageRef, Mapping[str, Any]]
    ) -> None: ...

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Mapping[str, Any]]:
        """Only those stored, and only where the task still shows the same image."""
        ...

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None: ...


class Illustrations(Protocol):
    """Pictures beside a job's report, for the page."""

    def draw(self, job: Job, report: Mapping[str, Any], hardest: Sequence[ImageRef]) -> None:
        """The plots of a report, and a small picture of each of the hardest images.

        What cannot be drawn is left out. Raises OutOfSpace.
        """
        ...


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


class Changes(Protocol):
    """What people changed since the last training. Never raises for want of Redis."""

    def changed(self, project: ProjectId, annotations: int = 1) -> None: ...

    def consumed(self, project: ProjectId, annotations: int) -> None:
        """Subtract what a training has seen, so that what came meanwhile still counts."""
        ...

    def read(self, project: ProjectId) -> Events: ...

    def pending(self) -> Sequence[ProjectId]:
        """Projects in which something changed since their last training."""
        ...


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
