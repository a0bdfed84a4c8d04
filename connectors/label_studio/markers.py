"""Markers: empty predictions whose model version names a list of tasks.

One filter finds all tasks of a list, however many there are. Markers have no result, so nobody can
mistake one for an answer, and they do not change the scores of a project's selected version.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.label_studio.filters import where
from connectors.label_studio.prediction_creation import PredictionCreation
from connectors.label_studio.tasks import Tasks

Marker = tuple[int, str, float | None]
"""Task, model version and score; without a score it changes no average."""


class Markers:
    """Create markers, and find them again."""

    def __init__(self, tasks: Tasks, creation: PredictionCreation) -> None:
        self._tasks = tasks
        self._creation = creation

    def store(self, project: int, markers: Sequence[Marker]) -> None:
        """Store markers. Skips deleted tasks."""
        self._creation.store(project, [marker_row(*marker) for marker in markers])

    def without_parents(
        self, project: int, tasks: Iterable[Mapping[str, Any]], prefixes: Sequence[str]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the tasks with their annotations; those made from a marker then have no parent.

        The markers of the project are looked up at the first annotation that has a parent.
        """
        markers: frozenset[int] | None = None
        for task in tasks:
            annotations = task["annotations"]
            if any(one.get("parent_prediction") for one in annotations):
                if markers is None:
                    markers = self._of_labeled(project, prefixes)
                annotations = [_without_parent(one, markers) for one in annotations]
            yield {**task, "annotations": annotations}

    def _of_labeled(self, project: int, prefixes: Sequence[str]) -> frozenset[int]:
        """Return the predictions of labeled tasks whose version begins with one of `prefixes`."""
        filters = [
            where("predictions_model_versions", "contains", list(prefixes)),
            where("total_annotations", "greater", 0),
        ]
        fields = ("id", "predictions", "model_version")
        return frozenset(
            prediction["id"]
            for task in self._tasks.matching(project, filters, fields, "all")
            for prediction in task["predictions"]
            if (prediction["model_version"] or "").startswith(tuple(prefixes))
        )


def marker_row(task: int, version: str, score: float | None = None) -> dict[str, Any]:
    """Return a marker as a prediction to import."""
    return {"task": task, "model_version": version, "score": score, "result": []}


def _without_parent(annotation: Mapping[str, Any], markers: Collection[int]) -> Mapping[str, Any]:
    if annotation.get("parent_prediction") not in markers:
        return annotation
    return {**annotation, "parent_prediction": None}
