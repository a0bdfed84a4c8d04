"""Translate between the domain and Label Studio: JSON and errors of the connectors."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend.domain.answers import Answers, ImageRef, LabeledImage, NoPrediction, Prediction
from backend.domain.audits import AuditLabels
from backend.domain.errors import NotFound
from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.projects import BackendLink, Project, ProjectActivity
from backend.domain.schema import LabelSchema
from backend.domain.tab_titles import WALL, ListOrder, wall_title
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.version_names import MARKER_PREFIXES, RECOUNT, is_answer_of_ours
from backend.label_studio import codec
from backend.label_studio.errors import errors_translated
from backend.label_studio.groups import TaskGroups
from backend.label_studio.inline_images import labeled_without_content, without_content
from backend.label_studio.label_search import LabelSearch
from backend.label_studio.labeled_copies import LabeledCopies
from backend.label_studio.reviewed_predictions import prediction_of
from backend.label_studio.superseded import Superseded
from backend.label_studio.tabs import TABS, of_answer
from backend.label_studio.task_lists import TaskLists, marker_rows
from backend.policies.switches import BACKEND_TITLE
from backend.ports.label_studio import (
    Pushed,
    ResultOf,
    SerializedPrediction,
    StoredResult,
    TakenBack,
    TaskResults,
    TaskSummary,
)
from connectors.errors import Rejected
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.predictions import RECENT
from connectors.label_studio.registration import unreported_by
from connectors.label_studio.results import Holder, ResultKind
from connectors.label_studio.tabs import Tab


class LabelStudioGateway:
    """Implements `backend.ports.label_studio.LabelStudio`."""

    def __init__(self, client: LabelStudioClient, copies: LabeledCopies | None = None) -> None:
        """Use `client`; with `copies`, annotations that did not change are not read again."""
        self._client = client
        self._copies = copies
        self._lists = TaskLists(client)
        self._superseded = Superseded(client)
        self._groups = TaskGroups(client)
        self._search = LabelSearch(client, self._labeled)

    def project(self, project: ProjectId) -> Project:
        try:
            with errors_translated():
                return _project(self._client.projects.get(project))
        except NotFound as exc:
            hint = "The id is the number in its address; the owner of the token must see it"
            raise NotFound(f"Label Studio has no project {project}", hint) from exc

    def projects(self) -> Sequence[Project]:
        with errors_translated():
            return [_project(row) for row in self._client.projects.all()]

    def labeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[LabeledImage]:
        with errors_translated():
            self._client.recount(project, RECOUNT)
            for image in codec.labeled_images(self._labeled(project), schema):
                yield labeled_without_content(image, project)

    def _labeled(self, project: ProjectId) -> Iterator[Json]:
        if self._copies:
            return self._copies.compared(project)
        return self._blind_where_marked(project, self._client.tasks.labeled(project))

    def unlabeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        with errors_translated():
            for task in self._client.tasks.unlabeled(project):
                yield without_content(codec.image_ref(task, schema), project)

    def count_unlabeled(self, project: ProjectId) -> int:
        with errors_translated():
            return self._client.tasks.count_unlabeled(project)

    def count_before_listing(self, project: ProjectId) -> int:
        with errors_translated():
            return self._client.tasks.count_before_listing(project)

    def activity(self, project: ProjectId) -> ProjectActivity:
        with errors_translated():
            tasks = self._client.projects.count_tasks(project)
            annotations, touched = self._client.tasks.newest_labeled(project)
        moments = [moment for text in touched if (moment := _moment(text))]
        return ProjectActivity(annotations, tasks, tuple(moments))

    def skipped_tasks(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        with errors_translated():
            for task in self._client.tasks.skipped(project):
                yield without_content(codec.image_ref(task, schema), project)

    def count_skipped(self, project: ProjectId) -> int:
        with errors_translated():
            return self._client.tasks.count_skipped(project)

    def audit_labels(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, AuditLabels]:
        with errors_translated():
            listed = self._client.tasks.annotated(project, tasks)
            found = self._blind_where_marked(project, listed)
            return {TaskId(task["id"]): codec.audit_labels(task, schema) for task in found}

    def any_waiting(self, project: ProjectId, tasks: Sequence[TaskId]) -> bool:
        with errors_translated():
            return self._client.tasks.any_untouched(project, tasks)

    def begun(self, project: ProjectId) -> frozenset[TaskId]:
        with errors_translated():
            found = self._client.tasks.drafted_ids(project)
        return frozenset(TaskId(task) for task in found)

    def _blind_where_marked(self, project: ProjectId, tasks: Iterable[Json]) -> Iterator[Json]:
        """Let no annotation refer to a marker: its author saw no answer."""
        return self._client.markers.without_parents(project, tasks, MARKER_PREFIXES)

    def refs(
        self, project: ProjectId, schema: LabelSchema, tasks: Sequence[TaskId]
    ) -> Iterator[ImageRef]:
        with errors_translated():
            for task in self._client.tasks.by_id(project, tasks):
                yield without_content(codec.image_ref(task, schema), project)

    def predicted(self, project: ProjectId, version: VersionName) -> frozenset[TaskId]:
        with errors_translated():
            found = self._client.tasks.predicted_ids(project, version)
        return frozenset(TaskId(task) for task in found)

    def await_late(
        self, project: ProjectId, version: VersionName, tasks: Collection[TaskId]
    ) -> None:
        with errors_translated():
            self._client.prediction_import.await_late(project, version, tasks)

    def most_at_once(self, tasks: int) -> int:
        return self._client.prediction_import.most_at_once(tasks)

    def prepare_push(self, project: ProjectId, predictions: int) -> None:
        with errors_translated():
            self._client.prediction_import.prepare(project, predictions)

    def push(
        self,
        project: ProjectId,
        predictions: Sequence[SerializedPrediction],
        lists: Sequence[ListDraft] = (),
    ) -> Pushed:
        rows = [{"task": one.task, **one.content} for one in predictions]
        with errors_translated():
            done = self._client.prediction_creation.store(project, [*rows, *marker_rows(lists)])
        for version in {one.prediction.version for one in predictions}:
            self.set_clusters(project, version, _clusters(predictions, version))
        tasks = {one.task for one in predictions}
        dropped = tuple(
            NoPrediction(TaskId(task), reason) for task, reason in done.dropped if task in tasks
        )
        return Pushed(len(predictions) - len(dropped), dropped)

    def set_clusters(
        self, project: ProjectId, version: VersionName, clusters: Mapping[TaskId, int]
    ) -> None:
        with errors_translated():
            self._client.predictions.set_clusters(
                project, version, {int(task): cluster for task, cluster in clusters.items()}
            )

    def show_groups(
        self, project: ProjectId, groups: Sequence[Sequence[TaskId]]
    ) -> Sequence[VersionName]:
        with errors_translated():
            return self._groups.show(project, groups)

    def show_version(self, project: ProjectId, version: VersionName) -> None:
        with errors_translated():
            try:
                self._client.projects.set_model_version(project, version)
            except Rejected:
                if version in self._client.predictions.versions(project):
                    raise

    def forget_versions(
        self,
        project: ProjectId,
        keep: Iterable[VersionName],
        spare: Sequence[TaskId] = (),
    ) -> None:
        with errors_translated():
            self._superseded.delete_versions(project, set(keep), spare)

    def count_superseded(self, project: ProjectId, keep: Iterable[VersionName]) -> int:
        with errors_translated():
            return sum(self._superseded.versions(project, set(keep), RECENT).values())

    def delete_superseded(
        self, project: ProjectId, keep: Iterable[str], withheld: Collection[TaskId]
    ) -> Iterator[int]:
        with errors_translated():
            unused = self._lists.unused(project)
            yield from self._superseded.delete_singly(project, set(keep), withheld, unused)

    def forget_predictions(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        with errors_translated():
            self._client.predictions.delete_of_tasks(project, tasks, is_answer_of_ours)

    def refresh_tabs(self, project: ProjectId) -> None:
        with errors_translated():
            self._client.tabs.ensure(project, TABS)

    @contextmanager
    def changing_tabs(self, project: ProjectId) -> Generator[None]:
        with self._client.tabs.read_once(project):
            yield

    def list_in_tab(
        self,
        project: ProjectId,
        title: str,
        tasks: Sequence[TaskId],
        order: ListOrder = ListOrder.AS_GIVEN,
        wall: bool = False,
    ) -> None:
        chosen = TaskList(title, tuple(tasks), order, wall)
        with errors_translated():
            for draft in self._lists.draft(project, [chosen]):
                self._lists.mark(project, draft)
                self._lists.show(project, draft)

    def draft_lists(self, project: ProjectId, lists: Sequence[TaskList]) -> Sequence[ListDraft]:
        with errors_translated():
            return self._lists.draft(project, lists)

    def show_list(self, project: ProjectId, draft: ListDraft, *, tidy: bool = True) -> None:
        with errors_translated():
            self._lists.show(project, draft, tidy=tidy)

    def show_walls(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        answers: Sequence[Answers],
    ) -> None:
        walls = dict[str, Tab]()
        for given in answers:
            title = wall_title(label for one in given.values() for label in one.labels)
            key = codec.answer_key(version, given)
            tab = of_answer(title, key, schema.data_key, wall=not schema.items.is_text)
            walls.setdefault(title, tab)
        with errors_translated():
            self._client.tabs.replace(project, WALL, list(walls.values()))

    def accept(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, int]:
        def keep(accepted: Sequence[Json]) -> None:
            if self._copies:
                self._copies.keep(project, accepted)

        with errors_translated():
            made = self._client.acceptance.accept(project, version, tasks, keep)
        return {TaskId(task): annotation for task, annotation in made.items()}

    def copy_labels(self, project: ProjectId) -> None:
        if self._copies:
            self._copies.refresh(project)

    def find_accepted(
        self, project: ProjectId, version: VersionName, tasks: Sequence[TaskId]
    ) -> Mapping[TaskId, int]:
        with errors_translated():
            found = self._client.acceptance.find(project, version, tasks)
        return {TaskId(task): annotation for task, annotation in found.items()}

    def take_back(
        self,
        project: ProjectId,
        annotations: Mapping[TaskId, int],
        relabeled: Mapping[int, str] | None = None,
    ) -> TakenBack:
        made = {int(task): annotation for task, annotation in annotations.items()}
        with errors_translated():
            done = self._client.acceptance.take_back(project, made, relabeled or {})
        return TakenBack(
            frozenset(map(TaskId, done.deleted)),
            frozenset(map(TaskId, done.changed)),
            frozenset(map(TaskId, done.drafted)),
        )

    def task_results(
        self, project: ProjectId, labels: Collection[Label] = ()
    ) -> Iterator[TaskResults]:
        with errors_translated():
            for task in self._search(project, labels):
                yield self._results(task)

    def results_among(self, project: ProjectId, tasks: Collection[TaskId]) -> Iterator[TaskResults]:
        with errors_translated():
            for task in self._client.results.among(project, tasks):
                yield self._results(task)

    def _results(self, task: Json) -> TaskResults:
        results = tuple(map(_stored, self._client.results.of_task(task)))
        return TaskResults(TaskId(task["id"]), task, results)

    def task_summaries(self, project: ProjectId) -> Iterator[TaskSummary]:
        with errors_translated():
            self._client.recount(project, RECOUNT)
            for task in self._client.tasks.summaries(project):
                annotations = task["total_annotations"] + task["cancelled_annotations"]
                yield TaskSummary(TaskId(task["id"]), task, annotations)

    def draft_results(self, project: ProjectId) -> Iterator[StoredResult]:
        with errors_translated():
            yield from map(_stored, self._client.results.drafts(project))

    def current_result(self, listed: StoredResult) -> StoredResult | None:
        with errors_translated():
            found = self._client.results.read(ResultKind(listed.of.value), listed.id)
        return None if found is None else replace(listed, result=found)

    def change_result(self, changed: StoredResult) -> str | None:
        kind = ResultKind(changed.of.value)
        with errors_translated():
            return self._client.results.change(
                kind, changed.id, [dict(part) for part in changed.result]
            )

    def set_label_config(self, project: ProjectId, label_config: str) -> None:
        with errors_translated():
            self._client.projects.set_label_config(project, label_config)

    def recount_labels(self, project: ProjectId) -> None:
        with errors_translated():
            self._client.projects.recount_labels(project)

    def delete_tasks(self, project: ProjectId, tasks: Sequence[TaskId]) -> None:
        with errors_translated():
            self._client.results.delete_tasks(project, tasks)

    def import_tasks(self, project: ProjectId, contents: Sequence[Json]) -> Sequence[TaskId]:
        with errors_translated():
            return [TaskId(task) for task in self._client.task_import(project, contents)]

    def waiting_predictions(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        tasks: Sequence[TaskId],
    ) -> Mapping[TaskId, Prediction]:
        with errors_translated():
            rows = list(self._client.predictions.waiting(project, tasks))
        found = (prediction_of(row, version, schema) for row in rows)
        return {
            one.image.task: replace(one, image=without_content(one.image, project))
            for one in found
            if one
        }

    def replace_results(
        self, project: ProjectId, version: VersionName, predictions: Mapping[TaskId, Json]
    ) -> None:
        results = {int(task): list(one["result"]) for task, one in predictions.items()}
        with errors_translated():
            self._client.predictions.replace_results(project, version, results)

    def account(self) -> str:
        with errors_translated():
            return str(self._client.whoami().get("email") or "the owner of the API key")

    def annotate(self, task: TaskId, result: Sequence[Json]) -> None:
        with errors_translated():
            self._client.annotations.create(task, [dict(one) for one in result])

    def serve_folder(self, project: ProjectId, path: str, inner: str) -> None:
        with errors_translated():
            self._client.storages.ensure_local(project, path, inner)

    def connect(self, project: ProjectId, backend_url: str, user: str, password: str) -> str:
        self.project(project)
        with errors_translated():
            done = self._client.registration.connect(
                project, backend_url, BACKEND_TITLE, user, password
            )
        self.refresh_tabs(project)
        return f"{done}, tabs {', '.join(tab.title for tab in TABS)}"

    def link(self, project: ProjectId, backend_url: str) -> BackendLink:
        with errors_translated():
            webhooks = self._client.registration.webhooks(project)
            backends = self._client.registration.backends(project)
        hook = next((one for one in webhooks if one["url"] == f"{backend_url}/webhook"), None)
        return BackendLink(
            webhook=hook["is_active"] if hook else None,
            payload=hook["send_payload"] if hook else None,
            unreported=unreported_by(hook) if hook else (),
            interactive=any(
                one.get("is_interactive", False)
                for one in backends
                if one["url"].rstrip("/") == backend_url
            ),
        )

    def disconnect(self, project: ProjectId, backend_url: str) -> None:
        self.project(project)
        with errors_translated():
            self._client.registration.disconnect(project, backend_url)


def _clusters(
    predictions: Sequence[SerializedPrediction], version: VersionName
) -> dict[TaskId, int]:
    found = (one.prediction for one in predictions)
    return {
        one.image.task: one.cluster
        for one in found
        if one.version == version and one.cluster is not None
    }


def _stored(holder: Holder) -> StoredResult:
    return StoredResult(ResultOf(holder.kind.value), holder.id, TaskId(holder.task), holder.result)


def _project(row: dict[str, Any]) -> Project:
    return Project(
        id=ProjectId(row["id"]),
        title=row.get("title") or "",
        label_config=row.get("label_config") or "",
        model_version=row.get("model_version") or "",
        created_at=_moment(row.get("created_at")),
        shows_predictions=row.get("show_collab_predictions") is not False,
        reveals_slowly=bool(row.get("reveal_preannotations_interactively")),
        samples_by_uncertainty=row.get("sampling") == "Uncertainty sampling",
    )


def _moment(text: object) -> datetime | None:
    """Parse `2026-11-20T23:24:21.083757Z`; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
