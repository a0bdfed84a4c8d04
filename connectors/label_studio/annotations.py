"""Annotations of Label Studio: written by people, or accepted from predictions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.errors import Rejected
from connectors.label_studio.calls import Calls, JsonObject, batches
from connectors.label_studio.tasks import Tasks, where

_ACCEPT_SIZE = 1000
_DELETE_SIZE = 1000


class Annotations:
    """Read, write and delete annotations; accept predictions as annotations."""

    def __init__(self, calls: Calls, tasks: Tasks) -> None:
        self._calls = calls
        self._tasks = tasks

    def create(self, task: int, result: Sequence[JsonObject], **fields: Any) -> JsonObject:
        """Annotate as the owner of the token; `was_cancelled=True` skips the task."""
        body = {"result": list(result), **fields}
        return self._calls.object("POST", f"/api/tasks/{task}/annotations/", json=body)

    def of_task(self, task: int) -> list[JsonObject]:
        return self._calls.array(f"/api/tasks/{task}/annotations/")

    def delete(self, annotation: int) -> None:
        self._calls.delete(f"/api/annotations/{annotation}/")

    def delete_many(self, project: int, tasks: Iterable[int], annotations: Iterable[int]) -> None:
        """Delete these annotations of these tasks and nothing else. Safe to repeat.

        An annotation that a user has changed since it was accepted is kept. Label Studio's bulk
        deletion is twenty times as fast, but removes all annotations and drafts of a task. Tasks
        that have others are therefore cleared one annotation at a time.
        """
        left = set(annotations) - self._changed_by_users(project, tasks)
        for batch in batches(sorted(set(tasks)), _DELETE_SIZE):
            clearable = self._tasks_with_only(left, project, batch)
            if clearable:
                self._calls.action(project, "delete_tasks_annotations", list(clearable))
                left.difference_update(*clearable.values())
        for annotation in sorted(left):
            self.delete(annotation)

    def untouched(self, project: int, tasks: Iterable[int]) -> list[int]:
        """Ids of the accepted annotations of these tasks that no user has changed since."""
        by_task = self._by_task(project, sorted(set(tasks)))
        accepted = {
            one["id"] for found in by_task.values() for one in found if one["lead_time"] is None
        }
        return sorted(accepted - self._changed_by_users(project, by_task))

    def accept_predictions(self, project: int, version: str, tasks: Iterable[int]) -> list[int]:
        """Turn the predictions of a version into annotations that refer to them.

        Safe to repeat. Tasks that have an annotation or were skipped in the meantime are left
        alone. Returns the ids of the new annotations; tasks without such a prediction get none.

        Raises:
            Rejected: when Label Studio created annotations that do not refer to a prediction.
        """
        made: list[int] = []
        for batch in batches(sorted(set(tasks)), _ACCEPT_SIZE):
            by_task = self._by_task(project, batch)
            free = [task for task, found in by_task.items() if not found]
            if free:
                self._calls.action(
                    project, "predictions_to_annotations", free, model_version=version
                )
                made += _accepted(self._by_task(project, free))
        return made

    def _changed_by_users(self, project: int, tasks: Iterable[int]) -> set[int]:
        """Annotations that a user submitted or updated; bulk actions leave `updated_by` empty."""
        fields = ("id", "annotations", "updated_by")
        rows = self._tasks.among(project, tasks, fields, "all")
        return {one["id"] for row in rows for one in row["annotations"] if one["updated_by"]}

    def _tasks_with_only(
        self, annotations: set[int], project: int, tasks: Sequence[int]
    ) -> dict[int, set[int]]:
        """Tasks with some of these annotations, no others and no drafts, and their annotations.

        The rows list only drafts of the token's owner; the filter covers those of all users.
        """
        without_drafts = [where("draft_exists", "equal", False)]
        rows = self._tasks.among(project, tasks, ("id", "annotations"), "all", without_drafts)
        by_task = {row["id"]: {one["id"] for one in row["annotations"]} for row in rows}
        return {task: ids for task, ids in by_task.items() if ids and ids <= annotations}

    def _by_task(self, project: int, tasks: Sequence[int]) -> dict[int, list[JsonObject]]:
        """The annotations, without their results, of each of these tasks that still exists."""
        fields = ("id", "annotations", "parent_prediction", "lead_time")
        rows = self._tasks.among(project, tasks, fields, "all")
        return {row["id"]: row["annotations"] for row in rows}


def _accepted(by_task: Mapping[int, Sequence[JsonObject]]) -> list[int]:
    """The annotations without lead time; those with one were submitted by people meanwhile."""
    made = [one for found in by_task.values() for one in found if one["lead_time"] is None]
    accepted = sorted(one["id"] for one in made if one["parent_prediction"] is not None)
    if made and not accepted:
        raise Rejected(
            f"annotations {[one['id'] for one in made[:5]]} do not name the predictions that they"
            " were made from",
            "Delete them, and report this with the version of your Label Studio",
        )
    return accepted
