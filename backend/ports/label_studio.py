"""Label Studio in domain terms: one Protocol for each use of it.

`backend.label_studio.gateway` implements them all. Every method raises LabelStudioUnreachable,
LabelStudioDenied, or NotFound for a project that does not exist.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from backend.domain.answers import Answers, ImageRef, LabeledImage, NoPrediction, Prediction
from backend.domain.audits import AuditLabels
from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.projects import BackendLink, Project, ProjectActivity
from backend.domain.schema import LabelSchema
from backend.domain.tab_titles import ListOrder
from backend.domain.task_lists import ListDraft, TaskList


@dataclass(frozen=True, slots=True)
class SerializedPrediction:
    """A prediction, and the JSON that Label Studio stores of it, as `codec.serialized` makes it."""

    prediction: Prediction
    content: Json

    @property
    def task(self) -> TaskId:
        return self.prediction.image.task


@dataclass(frozen=True, slots=True)
class Pushed:
    """The outcome of a bulk import: predictions stored, and those that Label Studio dropped."""

    created: int
    dropped: tuple[NoPrediction, ...] = ()


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Tasks by what became of their annotation.

    `deleted`: it was deleted. `changed`, `drafted`: it was kept, because people have changed it or
    have a draft of changes to it.
    """

    deleted: frozenset[TaskId] = frozenset()
    changed: frozenset[TaskId] = frozenset()
    drafted: frozenset[TaskId] = frozenset()


class ResultOf(StrEnum):
    """What a result belongs to, as Label Studio calls it."""

    ANNOTATION = "annotations"
    DRAFT = "drafts"
    PREDICTION = "predictions"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The result of one annotation, draft or prediction, in Label Studio's JSON."""

    of: ResultOf
    id: int
    task: TaskId
    result: Sequence[Json]


@dataclass(frozen=True, slots=True)
class TaskResults:
    """A whole task in Label Studio's JSON, and the results of its annotations and predictions."""

    task: TaskId
    content: Json
    results: tuple[StoredResult, ...]


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """A task in Label Studio's JSON, without its annotations and predictions.

    `annotations` is their number as Label Studio counted it last, skips included.
    """

    task: TaskId
    content: Json
    annotations: int


class ActivityReader(Protocol):
    """Tells what people did, without listing their annotations."""

    def activity(self, project: ProjectId) -> ProjectActivity:
        """Return counts and newest changes in two quick calls."""
        ...


class ProjectReader(Protocol):
    """Reads projects and their labeling configs."""

    def project(self, project: ProjectId) -> Project: ...

    def projects(self) -> Sequence[Project]:
        """Return all projects that the owner of the token may see."""
        ...


class TaskReader(Protocol):
    """Lists the tasks of a project."""

    def labeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        """Yield tasks with their valid answer: ground truth, else the newest; skips never count."""
        ...

    def unlabeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        """Yield tasks that nobody answered or skipped, in order of task id."""
        ...

    def count_unlabeled(self, project: ProjectId) -> int:
        """Return the number of tasks that `unlabeled` would yield; one quick call."""
        ...

    def count_before_listing(self, project: ProjectId) -> int:
        """Return the same number, and get ready to list all tasks in few calls."""
        ...

    def skipped_tasks(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        """Yield tasks that somebody skipped and nobody answered, in order of task id."""
        ...

    def count_skipped(self, project: ProjectId) -> int:
        """Return the number of tasks that `skipped_tasks` would yield; one quick call."""
        ...

    def audit_labels(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, AuditLabels]:
        """Return what people did to these tasks, without those that do not exist any more."""
        ...

    def any_waiting(self, project: ProjectId, tasks: Sequence[TaskId]) -> bool:
        """Whether nobody has labeled or skipped one of these tasks, found without reading them."""
        ...

    def refs(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Iterator[ImageRef]:
        """Yield the tasks that still exist, labeled or not."""
        ...


class DraftReader(Protocol):
    """Knows what people have begun."""

    def begun(self, project: ProjectId) -> frozenset[TaskId]:
        """Return tasks that anyone has a draft of: an annotation begun and not submitted."""
        ...


class PredictionEditor(Protocol):
    """Stores and deletes predictions."""

    def predicted(self, project: ProjectId, version: VersionName) -> frozenset[TaskId]:
        """Return tasks that already have a prediction of this version."""
        ...

    def await_late(
        self, project: ProjectId, version: VersionName, tasks: Collection[TaskId]
    ) -> None:
        """Wait up to a minute until these tasks, at least one, have predictions of this version.

        A process that died while it pushed them may have left a call that still runs.
        """
        ...

    def most_at_once(self, tasks: int) -> int:
        """Return how many predictions a `push` takes best, in a project of so many tasks."""
        ...

    def prepare_push(self, project: ProjectId, predictions: int) -> None:
        """Ask what a `push` of so many predictions must know, so that it need not."""
        ...

    def push(
        self,
        project: ProjectId,
        predictions: Sequence[SerializedPrediction],
        lists: Sequence[ListDraft] = (),
    ) -> Pushed:
        """Store predictions; drops only those that are invalid or whose task was deleted.

        The tasks of `lists` are marked in the same call, which is what takes time.
        """
        ...

    def show_version(self, project: ProjectId, version: VersionName) -> None:
        """Make scores, ordering and uncertainty sampling use this version."""
        ...

    def forget_versions(
        self,
        project: ProjectId,
        keep: Iterable[VersionName],
        spare: Sequence[TaskId] = (),
    ) -> None:
        """Delete the predictions of all versions that Autolabel made, except those to keep.

        Where a task of `spare` has no prediction of those, its newest version is kept as well.
        """
        ...

    def count_superseded(self, project: ProjectId, keep: Iterable[VersionName]) -> int:
        """Return how many predictions of other versions Autolabel made, markers left out."""
        ...

    def delete_superseded(
        self, project: ProjectId, keep: Iterable[str], withheld: Collection[TaskId]
    ) -> Iterator[int]:
        """Delete unused markers, then the same, few at a time; yields their number in between.

        A task that nobody labeled keeps its newest prediction if it has none of those to keep,
        unless it is `withheld`. The consumer may end the iteration at any time.
        """
        ...

    def forget_predictions(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        """Delete the predictions of all versions that Autolabel made on these tasks."""
        ...


class ClusterEditor(Protocol):
    """Assigns predictions to clusters."""

    def set_clusters(
        self, project: ProjectId, version: VersionName, clusters: Mapping[TaskId, int]
    ) -> None:
        """Set the cluster of predictions, one call each; uncertainty sampling spreads over it."""
        ...


class TabEditor(Protocol):
    """Makes and updates Data Manager tabs."""

    def refresh_tabs(self, project: ProjectId) -> None:
        """Create or update the standard tabs.

        A tab that a person made or renamed is left alone, whatever its title.
        """
        ...

    def changing_tabs(self, project: ProjectId) -> AbstractContextManager[None]:
        """Several changes of tabs follow, in this thread: read them once for all."""
        ...

    def list_in_tab(
        self,
        project: ProjectId,
        title: str,
        tasks: Sequence[TaskId],
        order: ListOrder = ListOrder.AS_GIVEN,
        wall: bool = False,
    ) -> None:
        """Make a tab that lists exactly these tasks, however many; an empty list removes it.

        Tasks that were deleted meanwhile are left out.
        """
        ...

    def draft_lists(self, project: ProjectId, lists: Sequence[TaskList]) -> Sequence[ListDraft]:
        """Name a new edition of each list, to be marked by `push` and shown by `show_list`."""
        ...

    def show_list(self, project: ProjectId, draft: ListDraft, *, tidy: bool = True) -> None:
        """Let the tab of the list show an edition whose tasks are marked.

        Markers of earlier editions, which disturb the order of tabs, are deleted; if they are many,
        or it is not to `tidy`, they are left to `delete_superseded`, which begins with them.
        """
        ...


class WallEditor(Protocol):
    """Shows images with the same predicted answer side by side."""

    def show_walls(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        answers: Sequence[Answers],
    ) -> None:
        """Show a wall for each of these answers of a version, in place of all earlier walls."""
        ...


class GroupEditor(Protocol):
    """Shows groups of similar images."""

    def show_groups(
        self, project: ProjectId, groups: Sequence[Sequence[TaskId]]
    ) -> Sequence[VersionName]:
        """Show these groups in place of all earlier ones; returns their names, in order."""
        ...


class PredictionAcceptor(Protocol):
    """Turns predictions into annotations, and deletes these again."""

    def accept(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, int]:
        """Turn predictions into annotations that remember them; returns their ids.

        A task that a person annotated or skipped, before or meanwhile, is left to that person. Safe
        to repeat. Takes a few hundred tasks.
        """
        ...

    def copy_labels(self, project: ProjectId) -> None:
        """Read the labels that changed, so that the next status of the project need not."""
        ...

    def find_accepted(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, int]:
        """Return what an `accept` of these tasks made that broke off, unless people changed it.

        May take a minute, until Label Studio has surely ended its work.
        """
        ...

    def take_back(
        self,
        project: ProjectId,
        annotations: Mapping[TaskId, int],
        relabeled: Mapping[int, str] | None = None,
    ) -> TakenBack:
        """Delete these annotations; one that is already gone is ignored. Safe to repeat.

        Those that people have changed, or have unsaved changes to, are kept. `relabeled` are the
        times at which label operations changed annotations: such a change is none of people's.
        """
        ...


class LabelEditor(ProjectReader, Protocol):
    """Changes labels across a project."""

    def task_results(
        self, project: ProjectId, labels: Collection[Label] = ()
    ) -> Iterator[TaskResults]:
        """Yield all tasks, skipped ones too, in order of task id.

        With `labels`, only those that may have one of them.
        """
        ...

    def draft_results(self, project: ProjectId) -> Iterator[StoredResult]:
        """Yield the unsaved changes of all people."""
        ...

    def current_result(self, listed: StoredResult) -> StoredResult | None:
        """Return what an annotation, draft or prediction holds now; None if it does not exist."""
        ...

    def change_result(self, changed: StoredResult) -> str | None:
        """Store this result, all other fields as they are.

        Returns the time of the change as Label Studio writes it; None if what it belongs to does
        not exist any more.
        """
        ...

    def set_label_config(self, project: ProjectId, label_config: str) -> None:
        """Replace the labeling config. Raises BadInput when Label Studio refuses it."""
        ...

    def recount_labels(self, project: ProjectId) -> None:
        """Make Label Studio count which labels are in use; it checks new configs against that."""
        ...

    def delete_tasks(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        """Delete tasks, with their annotations and predictions. Safe to repeat."""
        ...

    def import_tasks(self, project: ProjectId, contents: Sequence[Json]) -> Sequence[TaskId]:
        """Create tasks from what `task_results` yielded; returns their new ids, in order."""
        ...

    def refresh_tabs(self, project: ProjectId) -> None:
        """As `TabEditor.refresh_tabs`."""
        ...


class ReviewedPredictions(Protocol):
    """Reads and changes single predictions in Label Studio."""

    def waiting_predictions(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        tasks: Sequence[TaskId],
    ) -> Mapping[TaskId, Prediction]:
        """Return the predictions of a version on those tasks that nobody answered or skipped."""
        ...

    def replace_results(
        self, project: ProjectId, version: VersionName, predictions: Mapping[TaskId, Json]
    ) -> None:
        """Replace predictions of a version, one call each; those that are gone are ignored."""
        ...

    def account(self) -> str:
        """Return the account under which Label Studio files what we do."""
        ...


class BackendRegistry(Protocol):
    """Connects projects to this backend."""

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        """Register this backend and its webhook; safe to repeat. Returns what was done."""
        ...

    def link(self, project: ProjectId, backend_url: str) -> BackendLink:
        """Return how Label Studio calls this backend now; it checks our health meanwhile."""
        ...

    def disconnect(self, project: ProjectId, backend_url: str) -> None:
        """Remove this backend and its webhook; safe to repeat."""
        ...


class ProjectContents(ProjectReader, TaskReader, Protocol):
    """Reads a project and its tasks."""


class LabelStudio(
    ProjectContents,
    ActivityReader,
    DraftReader,
    PredictionEditor,
    ClusterEditor,
    TabEditor,
    WallEditor,
    GroupEditor,
    PredictionAcceptor,
    LabelEditor,
    ReviewedPredictions,
    BackendRegistry,
    Protocol,
):
    """All uses together, for the composition root; a use case depends on those it needs."""
