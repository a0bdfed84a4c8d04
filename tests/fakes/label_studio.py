"""A Label Studio in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from backend.domain.answers import (
    Answer,
    Answers,
    ImageRef,
    LabeledImage,
    NoPrediction,
    Prediction,
    Unanswered,
)
from backend.domain.audits import AuditLabels
from backend.domain.errors import NotFound
from backend.domain.ids import ControlName, ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.projects import BackendLink, Project, ProjectActivity
from backend.domain.schema import LabelSchema
from backend.domain.tab_titles import ListOrder, wall_title
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.version_names import (
    VERSION_NAME,
    group_name,
    is_answer_of_ours,
    list_edition,
    list_place,
)
from backend.ports.label_studio import Pushed, SerializedPrediction, TakenBack
from tests.fakes.domain import CHOICES

FIRST = ProjectId(1)
FIRST_MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class FakeProjects:
    """Implements `backend.ports.application.ConnectableProjects`; `backends` by project.

    `links` are what people switched in Label Studio.
    """

    known: dict[ProjectId, Project] = field(default_factory=dict)
    backends: dict[ProjectId, str] = field(default_factory=dict)
    links: dict[ProjectId, BackendLink] = field(default_factory=dict)

    def project(self, project: ProjectId) -> Project:
        if project not in self.known:
            raise NotFound(f"Label Studio has no project {project}", "Check the number")
        return self.known[project]

    def projects(self) -> Sequence[Project]:
        return list(self.known.values())

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        self.backends[self.project(project).id] = backend_url
        return f"connected {backend_url}"

    def link(self, project: ProjectId, backend_url: str) -> BackendLink:
        return self.links.get(project, BackendLink())

    def warnings(
        self, project: Project, current: VersionName | None, same: Collection[VersionName] = ()
    ) -> Sequence[str]:
        return ()

    def disconnect(self, project: ProjectId, backend_url: str) -> None:
        self.backends.pop(self.project(project).id, None)


class FakeLabelStudio(FakeProjects):
    """Implements `backend.ports.label_studio.LabelStudio` for project 1.

    `people` maps a task to its answers, None for a task that nobody labeled; `skipped` are those
    of the latter that somebody opened and skipped.
    """

    def __init__(
        self,
        label_config: str = CHOICES,
        people: dict[TaskId, dict[ControlName, Answer] | None] | None = None,
        skipped: Iterable[TaskId] = (),
    ) -> None:
        super().__init__({FIRST: Project(FIRST, "a project", label_config, "")})
        self.people = {} if people is None else people
        self.skipped = set(skipped)
        self.predictions: dict[tuple[TaskId, VersionName], Prediction] = {}
        self.at_once = 10_000
        """Predictions that a bulk import should have."""
        self.has_tabs = False
        self.marked: set[str] = set()
        """Editions of lists whose markers are stored."""
        self.lists: dict[str, tuple[TaskId, ...]] = {}
        self.tidied: list[bool] = []
        """Of each list that was shown: whether the markers of earlier ones were to be deleted."""
        self.walls: dict[str, tuple[VersionName, Answers]] = {}
        self.replaced: dict[tuple[TaskId, VersionName], Sequence[Json]] = {}
        self.clusters: dict[tuple[TaskId, VersionName], int] = {}
        self.groups: dict[VersionName, tuple[TaskId, ...]] = {}
        self.machine: dict[TaskId, tuple[int, VersionName]] = {}
        """Annotations that `accept` made and no person changed: their ids, and of which version."""
        self.accepted_at_once: list[int] = []
        """How many tasks each call of `accept` was about."""
        self.others: dict[TaskId, list[dict[ControlName, Answer]]] = {}
        """What further annotators answered."""
        self.seen: set[TaskId] = set()
        """Tasks whose annotation a person made from a prediction."""
        self.drafted: set[TaskId] = set()
        """Tasks on whose annotation a person has unsaved changes."""
        self.drafts: set[TaskId] = set()
        """Tasks that somebody began to annotate, without an annotation yet."""
        self._last_annotation = 1000
        self.looked_through: list[VersionName] = []
        """Versions that `predicted` was asked for: it lists the whole project."""
        self.late: dict[tuple[TaskId, VersionName], Prediction] = {}
        """Predictions that a call stores of which nobody waits for the end."""
        self.awaited: list[frozenset[TaskId]] = []
        self.copied: list[ProjectId] = []
        """Projects whose new labels were read ahead of the next status."""
        self.repairs: dict[TaskId, dict[str, int]] = {}
        self.unanswered: dict[TaskId, dict[ControlName, Unanswered]] = {}
        """Why labeled tasks leave controls unanswered."""
        self._looks = 0
        self._looked_at: dict[TaskId, dict[ControlName, Answer]] = {}
        self._touched: dict[TaskId, datetime] = {}

    @property
    def label_config(self) -> str:
        return self.known[FIRST].label_config

    @label_config.setter
    def label_config(self, config: str) -> None:
        self.known[FIRST] = replace(self.known[FIRST], label_config=config)

    @property
    def model_version(self) -> str:
        return self.known[FIRST].model_version

    def labeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        for task, answers in sorted(self.people.items()):
            if answers is not None:
                by_person = task not in self.machine
                yield LabeledImage(
                    self.ref(task),
                    answers,
                    self.repairs.get(task, {}),
                    by_person,
                    task not in self.seen,
                    unanswered=self.unanswered.get(task, {}),
                )

    def unlabeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        return (
            self.ref(task)
            for task, answers in sorted(self.people.items())
            if answers is None and task not in self.skipped
        )

    def count_unlabeled(self, project: ProjectId) -> int:
        waiting = {task for task, answers in self.people.items() if answers is None}
        return len(waiting - self.skipped)

    def count_before_listing(self, project: ProjectId) -> int:
        return self.count_unlabeled(project)

    def activity(self, project: ProjectId) -> ProjectActivity:
        """Each call notices what was touched since the one before, as if it happened then."""
        labeled = {task: answers for task, answers in self.people.items() if answers is not None}
        now = FIRST_MOMENT + timedelta(seconds=self._looks)
        self._looks += 1
        for task, answers in labeled.items():
            if self._looked_at.get(task) != answers:
                self._touched[task] = now
        self._looked_at = dict(labeled)
        touched = sorted((self._touched[task] for task in labeled), reverse=True)
        return ProjectActivity(len(labeled), len(self.people), tuple(touched[:100]))

    def skipped_tasks(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        return (self.ref(task) for task in self._skipped())

    def count_skipped(self, project: ProjectId) -> int:
        return len(self._skipped())

    def _skipped(self) -> list[TaskId]:
        return sorted(task for task in self.skipped if self.people.get(task) is None)

    def audit_labels(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, AuditLabels]:
        def labels(task: TaskId) -> AuditLabels:
            answers = [self.people[task], *self.others.get(task, ())]
            given = tuple(one for one in answers if one is not None)
            return AuditLabels(given, task in self.skipped, task not in self.seen)

        return {task: labels(task) for task in tasks if task in self.people}

    def any_waiting(self, project: ProjectId, tasks: Sequence[TaskId]) -> bool:
        waiting = {task for task, answers in self.people.items() if answers is None}
        return bool((waiting - self.skipped).intersection(tasks))

    def begun(self, project: ProjectId) -> frozenset[TaskId]:
        return frozenset(self.drafts | self.drafted)

    def refs(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Iterator[ImageRef]:
        return (self.ref(task) for task in tasks if task in self.people)

    def predicted(self, project: ProjectId, version: VersionName) -> frozenset[TaskId]:
        self.looked_through.append(version)
        grouped = self.groups.get(version, ())
        return frozenset(task for task, made_by in self.predictions if made_by == version).union(
            grouped
        )

    def await_late(
        self, project: ProjectId, version: VersionName, tasks: Collection[TaskId]
    ) -> None:
        assert tasks
        late = {key: one for key, one in self.late.items() if key[1] == version}
        self.predictions |= late
        self.awaited.append(frozenset(tasks))

    def most_at_once(self, tasks: int) -> int:
        return self.at_once

    def prepare_push(self, project: ProjectId, predictions: int) -> None:
        assert predictions >= 0

    def push(
        self,
        project: ProjectId,
        predictions: Sequence[SerializedPrediction],
        lists: Sequence[ListDraft] = (),
    ) -> Pushed:
        self.marked |= {draft.edition for draft in lists}
        sent = [one.prediction for one in predictions]
        there = [one for one in sent if one.image.task in self.people]
        gone = [one for one in sent if one.image.task not in self.people]
        self.predictions |= {(one.image.task, one.version): one for one in there}
        dropped = tuple(NoPrediction(one.image.task, "the task was deleted") for one in gone)
        return Pushed(len(there), dropped)

    def show_version(self, project: ProjectId, version: VersionName) -> None:
        if any(name == version for _, name in self.predictions):
            self.known[FIRST] = replace(self.known[FIRST], model_version=version)

    def forget_versions(
        self,
        project: ProjectId,
        keep: Iterable[VersionName],
        spare: Sequence[TaskId] = (),
    ) -> None:
        wanted = set(keep)
        kept = wanted.copy()
        for task in spare:
            versions = [name for of, name in self.predictions if of == task and _is_ours(name)]
            if wanted.isdisjoint(versions):
                kept |= set(sorted(versions)[-1:])
        for key in [key for key in self.predictions if _is_ours(key[1]) and key[1] not in kept]:
            del self.predictions[key]

    def count_superseded(self, project: ProjectId, keep: Iterable[VersionName]) -> int:
        kept = set(keep)
        return sum(_is_ours(name) and name not in kept for _, name in self.predictions)

    def delete_superseded(
        self, project: ProjectId, keep: Iterable[str], withheld: Collection[TaskId]
    ) -> Iterator[int]:
        kept, deleted = set(keep), 0
        for task, version in sorted(self.predictions):
            own = [name for of, name in self.predictions if of == task and _is_ours(name)]
            is_needed = (
                self.people[task] is None
                and task not in self.skipped | set(withheld)
                and kept.isdisjoint(own)
                and version == max(own)
            )
            if version in own and version not in kept and not is_needed:
                del self.predictions[task, version]
                deleted += 1
                yield deleted

    def forget_predictions(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        for task, version in list(self.predictions):
            if is_answer_of_ours(version) and task in set(tasks):
                del self.predictions[task, version]

    def refresh_tabs(self, project: ProjectId) -> None:
        self.has_tabs = True

    def changing_tabs(self, project: ProjectId) -> AbstractContextManager[None]:
        return nullcontext()

    def list_in_tab(
        self,
        project: ProjectId,
        title: str,
        tasks: Sequence[TaskId],
        order: ListOrder = ListOrder.AS_GIVEN,
        wall: bool = False,
    ) -> None:
        if tasks:
            self.marked.add(self._edition(title))
        self._list(title, tasks)

    def _edition(self, title: str) -> str:
        return list_edition(title, (list_place(edition, 0, 1) for edition in self.marked))

    def _list(self, title: str, tasks: Sequence[TaskId]) -> None:
        self.lists[title] = tuple(task for task in dict.fromkeys(tasks) if task in self.people)

    def draft_lists(self, project: ProjectId, lists: Sequence[TaskList]) -> Sequence[ListDraft]:
        return [ListDraft(one, self._edition(one.title)) for one in lists]

    def show_list(self, project: ProjectId, draft: ListDraft, *, tidy: bool = True) -> None:
        self.tidied.append(tidy)
        assert draft.edition in self.marked, "its markers come first"
        self._list(draft.tasks.title, draft.tasks.tasks)

    def show_walls(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        answers: Sequence[Answers],
    ) -> None:
        self.walls = {
            wall_title(label for one in given.values() for label in one.labels): (version, given)
            for given in answers
        }

    def set_clusters(
        self, project: ProjectId, version: VersionName, clusters: Mapping[TaskId, int]
    ) -> None:
        self.clusters |= {
            (task, version): cluster
            for task, cluster in clusters.items()
            if (task, version) in self.predictions
        }

    def show_groups(
        self, project: ProjectId, groups: Sequence[Sequence[TaskId]]
    ) -> Sequence[VersionName]:
        self.groups = {group_name(number): tuple(tasks) for number, tasks in enumerate(groups, 1)}
        return tuple(self.groups)

    def waiting_predictions(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        tasks: Sequence[TaskId],
    ) -> Mapping[TaskId, Prediction]:
        waiting = [task for task in tasks if self.people.get(task, {}) is None]
        found = {task: self.predictions.get((task, version)) for task in waiting}
        return {task: one for task, one in found.items() if one and task not in self.skipped}

    def replace_results(
        self, project: ProjectId, version: VersionName, predictions: Mapping[TaskId, Json]
    ) -> None:
        self.replaced |= {(task, version): one["result"] for task, one in predictions.items()}

    def account(self) -> str:
        return "ann@example.org"

    def accept(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, int]:
        self.accepted_at_once.append(len(tasks))
        waiting = [task for task, answers in self.people.items() if answers is None]
        free = sorted({*waiting}.intersection(tasks) - self.skipped)
        free = [task for task in free if (task, version) in self.predictions]
        for task in free:
            self.people[task] = dict(self.predictions[task, version].answers)
            self._last_annotation += 1
            self.machine[task] = self._last_annotation, version
        return {task: self.machine[task][0] for task in free}

    def copy_labels(self, project: ProjectId) -> None:
        self.copied.append(project)

    def find_accepted(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, int]:
        found = {task: self.machine[task] for task in tasks if task in self.machine}
        return {task: number for task, (number, made_from) in found.items() if made_from == version}

    def take_back(
        self,
        project: ProjectId,
        annotations: Mapping[TaskId, int],
        relabeled: Mapping[int, str] | None = None,
    ) -> TakenBack:
        labeled = {task for task in annotations if self.people.get(task) is not None}
        ours = {
            task
            for task in labeled & set(self.machine)
            if self.machine[task][0] == annotations[task]
        }
        for task in ours - self.drafted:
            self.people[task] = None
            del self.machine[task]
        drafted = ours & self.drafted
        return TakenBack(frozenset(ours - drafted), frozenset(labeled - ours), frozenset(drafted))

    def correct(self, task: TaskId, answers: dict[ControlName, Answer]) -> None:
        """Change the annotation of a task, as a person would."""
        self.people[task] = answers
        self.machine.pop(task, None)

    def ref(self, task: TaskId) -> ImageRef:
        return ImageRef(task, f"/data/upload/{task}.png")


def _is_ours(version: VersionName) -> bool:
    return VERSION_NAME.fullmatch(version) is not None
