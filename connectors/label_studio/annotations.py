"""Annotations of Label Studio: what people say, or what they accepted from a model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.errors import Rejected
from connectors.label_studio.calls import Json, batches
from connectors.label_studio.tasks import Tasks, where

_ACCEPT_SIZE = 1000
_DELETE_SIZE = 1000


class Annotations(Tasks):
    """Read, write and delete annotations; accept predictions as annotations."""

    def annotate(self, task: int, result: Sequence[Json], **fields: Any) -> Json:
        """Annotate as the owner of the token; `was_cancelled=True` skips the task."""
        body = {"result": list(result), **fields}
        return self._object("POST", f"/api/tasks/{task}/annotations/", json=body)

    def annotations(self, task: int) -> list[Json]:
        return self._list(f"/api/tasks/{task}/annotations/")

    def delete_annotation(self, annotation: int) -> None:
        self._delete(f"/api/annotations/{annotation}/")

    def delete_annotations(
        self, project: int, tasks: Iterable[int], annotations: Iterable[int]
    ) -> None:
        """Delete these annotations of these tasks, and nothing else; safe to repeat.

        One that a person changed since it was accepted is that person's, and stays. Label
        Studio's bulk deletion, twenty times as fast, takes all annotations and drafts of a task.
        So where people left something of their own, annotations are deleted one by one.
        """
        left = set(annotations) - self._changed(project, tasks)
        for batch in batches(sorted(set(tasks)), _DELETE_SIZE):
            alone = self._tasks_with_only(left, project, batch)
            if alone:
                self._act(project, "delete_tasks_annotations", list(alone))
                left.difference_update(*alone.values())
        for annotation in sorted(left):
            self.delete_annotation(annotation)

    def untouched_annotations(self, project: int, tasks: Iterable[int]) -> list[int]:
        """Annotations of the tasks that were accepted and that no person changed since."""
        notes = self._notes(project, sorted(set(tasks)))
        made = {one["id"] for said in notes.values() for one in said if one["lead_time"] is None}
        return sorted(made - self._changed(project, notes))

    def _changed(self, project: int, tasks: Iterable[int]) -> set[int]:
        """Annotations that a user sent or changed: those made in bulk name nobody."""
        rows = self._among(project, tasks, ("id", "annotations", "updated_by"), "all")
        return {one["id"] for row in rows for one in row["annotations"] if one["updated_by"]}

    def _tasks_with_only(
        self, annotations: set[int], project: int, tasks: Sequence[int]
    ) -> dict[int, set[int]]:
        """Tasks that have some of these annotations and no others, nor drafts; which ones.

        A task lists the drafts of the token's owner alone, the filter knows those of all.
        """
        undrafted = [where("draft_exists", "equal", False)]
        rows = self._among(project, tasks, ("id", "annotations"), "all", undrafted)
        found = {row["id"]: {one["id"] for one in row["annotations"]} for row in rows}
        return {task: own for task, own in found.items() if own and own <= annotations}

    def accept_predictions(self, project: int, version: str, tasks: Iterable[int]) -> list[int]:
        """Turn the predictions of a version into annotations that remember them.

        Safe to repeat, and a task that somebody annotated or skipped meanwhile is left to them.
        Returns the ids of the annotations made now; a task without such a prediction has none.

        Raises:
            Rejected: when Label Studio made annotations that do not name their prediction.
        """
        made: list[int] = []
        for batch in batches(sorted(set(tasks)), _ACCEPT_SIZE):
            notes = self._notes(project, batch)
            free = [task for task, said in notes.items() if not said]
            if free:
                self._act(project, "predictions_to_annotations", free, model_version=version)
                made += _accepted(self._notes(project, free))
        return made

    def _notes(self, project: int, tasks: Sequence[int]) -> dict[int, list[Json]]:
        """The annotations of each task that is still there, without what they say."""
        fields = ("id", "annotations", "parent_prediction", "lead_time")
        rows = self._among(project, tasks, fields, "all")
        return {row["id"]: row["annotations"] for row in rows}


def _accepted(notes: Mapping[int, Sequence[Json]]) -> list[int]:
    """The annotations that nobody spent time on: people submitted the others meanwhile."""
    made = [one for said in notes.values() for one in said if one["lead_time"] is None]
    accepted = sorted(one["id"] for one in made if one["parent_prediction"] is not None)
    if made and not accepted:
        raise Rejected(
            f"annotations {[one['id'] for one in made[:5]]} do not name the predictions that they"
            " were made from",
            "Delete them, and report this with the version of your Label Studio",
        )
    return accepted
