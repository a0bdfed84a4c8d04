"""Annotations of Label Studio: what people say, or what they accepted from a model."""

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.errors import Rejected
from connectors.label_studio_calls import Json, batches
from connectors.label_studio_tasks import Tasks

_ACCEPT_SIZE = 1000


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

    def delete_annotations(self, annotations: Iterable[int]) -> None:
        """Delete one by one: Label Studio has no call for some annotations of several tasks."""
        for annotation in annotations:
            self.delete_annotation(annotation)

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
