"""Read and change the results of everything in a project that has one.

Only `result` is sent, so that all other fields stay as they are: `lead_time`, `completed_by`,
`ground_truth`, `parent_prediction`. Label Studio itself then notes `updated_at` and `updated_by`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from connectors.errors import ResourceNotFound
from connectors.label_studio.calls import Calls, JsonObject, batches, send_in_parts
from connectors.label_studio.filters import where
from connectors.label_studio.tasks import ANNOTATION_FIELDS, Tasks

_DELETED_AT_ONCE = 500
_IMPORT_SECONDS = 300.0

_FIELDS = ("id", "data", "meta", "predictions", *ANNOTATION_FIELDS, "model_version", "score")
_IMPORTED = ("result", "was_cancelled", "ground_truth", "lead_time", "completed_by")


class ResultKind(StrEnum):
    """What a result belongs to, by its address in the API."""

    ANNOTATION = "annotations"
    DRAFT = "drafts"
    PREDICTION = "predictions"


@dataclass(frozen=True, slots=True)
class Holder:
    """An annotation, a draft or a prediction: its id, its task, and its result."""

    kind: ResultKind
    id: int
    task: int
    result: Sequence[JsonObject]


class Results:
    """Lists and changes results one at a time; deletes and imports whole tasks."""

    def __init__(self, calls: Calls, tasks: Tasks) -> None:
        self._calls = calls
        self._tasks = tasks

    def tasks(self, project: int) -> Iterator[JsonObject]:
        """All tasks with complete annotations, skips included, and predictions, ordered by id."""
        return self._tasks.matching(project, (), _FIELDS, "all")

    def of_task(self, task: Mapping[str, Any]) -> Iterator[Holder]:
        """The annotations and predictions of a task that `tasks` listed."""
        for kind in (ResultKind.ANNOTATION, ResultKind.PREDICTION):
            for one in task[kind.value]:
                yield Holder(kind, one["id"], task["id"], _listed(one["result"]))

    def drafts(self, project: int) -> Iterator[Holder]:
        """The unsaved changes of all users. Takes a request for each task that has some."""
        drafted = [where("draft_exists", "equal", True)]
        for row in self._tasks.matching(project, drafted, ("id",)):
            for one in self._calls.array(f"/api/tasks/{row['id']}/drafts"):
                yield Holder(ResultKind.DRAFT, one["id"], row["id"], _listed(one["result"]))

    def read(self, kind: ResultKind, number: int) -> Sequence[JsonObject] | None:
        """The result as it is now; None if its holder does not exist."""
        try:
            found = self._calls.object("GET", f"/api/{kind.value}/{number}/")
        except ResourceNotFound:
            return None
        return _listed(found.get("result"))

    def change(self, kind: ResultKind, number: int, result: Sequence[JsonObject]) -> str | None:
        """Replace a result; returns the new `updated_at`, None if its holder does not exist."""
        path = f"/api/{kind.value}/{number}/"
        try:
            answer = self._calls.object("PATCH", path, json={"result": list(result)})
        except ResourceNotFound:
            return None
        return str(answer.get("updated_at") or "")

    def delete_tasks(self, project: int, tasks: Sequence[int]) -> None:
        """Delete tasks with all that belongs to them; those that do not exist are ignored."""
        for batch in batches(tasks, _DELETED_AT_ONCE):
            self._calls.action(project, "delete_tasks", batch)

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Create tasks from what `tasks` listed; returns their new ids, in order."""
        rows = [_importable(task) for task in tasks]
        parts = send_in_parts(rows, lambda some: self._import(project, some)) if rows else ()
        return [task for part in parts for task in part]

    def _import(self, project: int, rows: Sequence[JsonObject]) -> list[int]:
        answer = self._calls.object(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            json=list(rows),
            timeout=_IMPORT_SECONDS,
        )
        return [int(task) for task in answer.get("task_ids", ())]


def _listed(result: Any) -> Sequence[JsonObject]:
    return cast("list[JsonObject]", result) if isinstance(result, list) else []


def _importable(task: Mapping[str, Any]) -> JsonObject:
    annotations = [
        {key: one[key] for key in _IMPORTED if one.get(key) is not None}
        for one in task["annotations"]
    ]
    predictions = [
        {key: one[key] for key in ("model_version", "score", "result") if one.get(key) is not None}
        for one in task["predictions"]
    ]
    return {
        "data": task["data"],
        "meta": task.get("meta") or {},
        "annotations": annotations,
        "predictions": predictions,
    }
