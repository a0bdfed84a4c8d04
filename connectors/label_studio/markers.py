"""Markers: empty predictions whose model version names a list of tasks.

One filter finds all tasks of a list, however many there are. Markers have no result, so nobody can
mistake one for an answer, and they do not change the scores of a project's selected version.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from connectors.label_studio.filters import where
from connectors.label_studio.prediction_creation import PredictionCreation
from connectors.label_studio.tasks import Tasks

_AT_ONCE, _FEW = 500, 200
"""Tasks whose markers are looked up together, and the most labeled tasks with markers of which all
are looked up."""

_FIELDS = ("id", "predictions", "model_version")

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

        Markers are predictions whose version begins with one of `prefixes`. They are looked up as
        soon as an annotation has a parent: all of them if few labeled tasks have any, else those of
        the tasks at hand.
        """
        lookup, left = _Lookup(self._tasks, project, tuple(prefixes)), iter(tasks)
        while part := list(islice(left, _AT_ONCE)):
            markers = lookup.of_tasks([task["id"] for task in part if _has_parent(task)])
            for task in part:
                annotations = [_without_parent(one, markers) for one in task["annotations"]]
                yield {**task, "annotations": annotations}


class _Lookup:
    """Finds the markers of labeled tasks; a grouping has left one on each of them."""

    def __init__(self, tasks: Tasks, project: int, prefixes: tuple[str, ...]) -> None:
        self._tasks = tasks
        self._project = project
        self._prefixes = prefixes
        self._marked = where("predictions_model_versions", "contains", list(prefixes))

    def of_tasks(self, tasks: Sequence[int]) -> Collection[int]:
        """Return the ids of the markers of these tasks, and maybe of others."""
        if not tasks:
            return ()
        if self._all is not None:
            return self._all
        rows = self._tasks.among(self._project, tasks, _FIELDS, "all", [self._marked])
        return self._markers(rows)

    @cached_property
    def _all(self) -> Collection[int] | None:
        """All markers, None where they are many."""
        labeled = [self._marked, where("total_annotations", "greater", 0)]
        if self._tasks.count(self._project, labeled) > _FEW:
            return None
        return self._markers(self._tasks.matching(self._project, labeled, _FIELDS, "all"))

    def _markers(self, rows: Iterable[Mapping[str, Any]]) -> Collection[int]:
        return {
            prediction["id"]
            for task in rows
            for prediction in task["predictions"]
            if (prediction["model_version"] or "").startswith(self._prefixes)
        }


def marker_row(task: int, version: str, score: float | None = None) -> dict[str, Any]:
    """Return a marker as a prediction to import."""
    return {"task": task, "model_version": version, "score": score, "result": []}


def _has_parent(task: Mapping[str, Any]) -> bool:
    return any(one.get("parent_prediction") for one in task["annotations"])


def _without_parent(annotation: Mapping[str, Any], markers: Collection[int]) -> Mapping[str, Any]:
    if annotation.get("parent_prediction") not in markers:
        return annotation
    return {**annotation, "parent_prediction": None}
