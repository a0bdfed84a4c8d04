"""Annotations of Label Studio: what people say, or what they accepted from a model."""

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.errors import Rejected
from connectors.label_studio_calls import Json, batches
from connectors.label_studio_tasks import Tasks

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

        Label Studio's bulk deletion, twenty times as fast, takes all annotations and drafts of a
        task. So where people left something of their own, annotations are deleted one by one.
        """
        left = set(annotations)
        for batch in batches(sorted(set(tasks)), _DELETE_SIZE):
            alone = self._tasks_with_only(left, project, batch)
            if alone:
                self._act(project, "delete_tasks_annotations", list(alone))
                left.difference_update(*alone.values())
        for annotation in sorted(left):
            self.delete_annotation(annotation)

    def _tasks_with_only(
        self, annotations: set[int], project: int, tasks: Sequence[int]
    ) -> dict[int, set[int]]:
        """Tasks that have some of these annotations and no others, nor drafts; which ones."""
        rows = self._among(project, tasks, ("id", "annotations", "drafts"), "all")
        found = {
            row["id"]: {one["id"] for one in row["annotations"]}
            for row in rows
            if not row["drafts"]
        }
        return {task: own for task, own in found.items() if own and own <= annotations}

    def accept_predictions(self, project: int, version: str, tasks: Iterable[int]) -> list[int]:
        """Turn the predictions of a version into annotations that remember them.

        Safe to repeat: a prediction that already became an annotation is left alone. Returns the
        ids of the annotations made now; a task without such a prediction has none.

        Raises:
            Rejected: when Label Studio made annotations that do not name their prediction.
        """
        made: list[int] = []
        for batch in batches(sorted(set(tasks)), _ACCEPT_SIZE):
            before = self._parents(project, batch)
            self._act(project, "predictions_to_annotations", batch, model_version=version)
            after = self._parents(project, batch)
            made += _new(before, after)
        return made

    def _parents(self, project: int, tasks: Sequence[int]) -> dict[int, int | None]:
        """Each annotation of the tasks with the prediction that it came from."""
        fields = ("id", "annotations", "parent_prediction")
        return {
            annotation["id"]: annotation["parent_prediction"]
            for task in self._among(project, tasks, fields, "all")
            for annotation in task["annotations"]
        }


def _new(before: dict[int, int | None], after: dict[int, int | None]) -> list[int]:
    made = sorted(after.keys() - before.keys())
    accepted = [annotation for annotation in made if after[annotation] is not None]
    if made and not accepted:
        raise Rejected(
            f"annotations {made[:5]} do not name the predictions that they were made from",
            "Delete them, and report this with the version of your Label Studio",
        )
    return accepted
