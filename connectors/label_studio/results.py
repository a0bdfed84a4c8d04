"""Read and change the results of everything in a project that has one.

Only `result` is sent, so that all other fields stay as they are: `lead_time`, `completed_by`,
`ground_truth`, `parent_prediction`. Label Studio itself then notes `updated_at` and `updated_by`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from connectors.errors import ResourceNotFound
from connectors.label_studio.calls import Calls, JsonObject, batches
from connectors.label_studio.filters import plain_part, where
from connectors.label_studio.tasks import ANNOTATION_FIELDS, Tasks

_DELETED_AT_ONCE = 500

_FIELDS = ("id", "data", "meta", "predictions", *ANNOTATION_FIELDS, "model_version", "score")


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
    """Lists and changes results one at a time; deletes whole tasks."""

    def __init__(self, calls: Calls, tasks: Tasks) -> None:
        self._calls = calls
        self._tasks = tasks

    def tasks(self, project: int) -> Iterator[JsonObject]:
        """All tasks with complete annotations, skips included, and predictions, ordered by id."""
        return self._tasks.matching(project, (), _FIELDS, "all")

    def among(self, project: int, tasks: Collection[int]) -> Iterator[JsonObject]:
        """The same of those of these tasks that exist."""
        return self._tasks.among(project, tasks, _FIELDS, "all")

    def predicted(self, project: int, texts: Collection[str]) -> set[int] | None:
        """Ids of the tasks whose predictions may contain one of these strings; None if all may.

        There is no such question about annotations: on SQLite Label Studio compares each task with
        all annotations of the project, which takes a minute for 20,000 tasks and 1,700 annotations.
        """
        pieces = set(map(plain_part, texts))
        if not all(pieces):
            return None
        return {
            row["id"]
            for piece in pieces
            for row in self._tasks.matching(
                project, [where("predictions_results", "contains", piece)], ("id",)
            )
        }

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


def _listed(result: Any) -> Sequence[JsonObject]:
    return cast("list[JsonObject]", result) if isinstance(result, list) else []
