"""Predictions of Label Studio, by their model version."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from connectors.errors import ResourceNotFound
from connectors.label_studio.calls import FEWEST_AT_ONCE, Calls, JsonObject, batches
from connectors.label_studio.filters import joined, where
from connectors.label_studio.projects import Projects
from connectors.label_studio.tasks import UNTOUCHED, Tasks

_DELETE_SECONDS = 300.0

RECENT = 10.0
"""Seconds within which nobody else changes the number of predictions of versions of ours."""

AT_ONCE = 50
"""Predictions that one call deletes, in one transaction: a second, while nobody can submit
annotations of their tasks, nor of any task on SQLite."""

_INNER = ("id", "data", "predictions", "result", "score", "model_version")
"""Label Studio applies `include` to nested objects too."""


class Predictions:
    """List, update and delete predictions. `PredictionImport` creates them in bulk."""

    def __init__(
        self, calls: Calls, tasks: Tasks, projects: Projects, clock: Callable[[], float]
    ) -> None:
        self._calls = calls
        self._tasks = tasks
        self._projects = projects
        self._clock = clock
        self._counted: dict[int, tuple[float, dict[str, int]]] = {}

    def of_version(self, project: int, version: str) -> Iterator[JsonObject]:
        """The predictions of one version, with `id`, `task`, `score` and `result`."""
        filters = [where("predictions_model_versions", "contains", [version])]
        for task in self._tasks.matching(project, filters, ("id", "predictions"), "all"):
            for prediction in task["predictions"]:
                if prediction["model_version"] == version:
                    yield {**prediction, "task": task["id"]}

    def versions(self, project: int, max_age: float = 0.0) -> dict[str, int]:
        """The number of predictions of each version in the project.

        With `max_age`, in seconds, numbers that were asked for before will do, unless this client
        deleted predictions since.
        """
        now, before = self._clock(), self._counted.get(project)
        if before and now - before[0] < max_age:
            return before[1]
        counts = self._calls.object("GET", f"/api/projects/{project}/model-versions/")
        self._counted[project] = now, counts
        return counts

    def set_clusters(self, project: int, version: str, clusters: Mapping[int, int]) -> None:
        """Set `cluster` of the predictions of a version, given a cluster for each task.

        Takes one request for each prediction, because the bulk import drops the cluster. Skips
        tasks and predictions that no longer exist.
        """
        for task in self._tasks.among(project, clusters, ("id", "predictions"), "all"):
            for prediction in task["predictions"]:
                if prediction["model_version"] == version:
                    path = f"/api/predictions/{prediction['id']}/"
                    with suppress(ResourceNotFound):
                        self._calls.object("PATCH", path, json={"cluster": clusters[task["id"]]})

    def replace_results(
        self, project: int, version: str, results: Mapping[int, Sequence[JsonObject]]
    ) -> None:
        """Replace the results of predictions of a version, given by task; one request for each.

        Skips tasks and predictions that no longer exist.
        """
        for task in self._tasks.among(project, results, _INNER, "all"):
            for prediction in task["predictions"]:
                if prediction["model_version"] == version:
                    path = f"/api/predictions/{prediction['id']}/"
                    with suppress(ResourceNotFound):
                        body = {"result": list(results[task["id"]])}
                        self._calls.object("PATCH", path, json=body)

    def waiting(self, project: int, tasks: Iterable[int]) -> Iterator[JsonObject]:
        """Those of these tasks that nobody answered or skipped: `id`, `data`, `predictions`."""
        return self._tasks.among(project, tasks, _INNER, "all", UNTOUCHED)

    def delete_of_tasks(
        self, project: int, tasks: Iterable[int], unwanted: Callable[[str], bool]
    ) -> None:
        """Delete the predictions of these tasks whose version is `unwanted`.

        Those of tasks that have no others are deleted together, which costs a third. Label Studio
        then shows too high a number for tasks that had several, until the next import. Skips tasks
        and predictions that no longer exist.
        """
        wanted = set(tasks)
        rows = self._with_predictions(project, wanted)
        whole = {row["id"]: _ids(row) for row in rows if all(map(unwanted, _versions(row)))}
        if len(whole) >= FEWEST_AT_ONCE:
            self.delete_all(project, whole)
            rows = self._with_predictions(project, wanted)
        for row in rows:
            for prediction in row["predictions"]:
                if unwanted(_version(prediction)):
                    self.delete(prediction["id"])

    def _with_predictions(self, project: int, tasks: Iterable[int]) -> list[JsonObject]:
        """Those of the tasks that have predictions: `id`, `predictions`.

        Label Studio's own count is not asked, since it may have missed some.
        """
        rows = self._tasks.among(project, tasks, ("id", "predictions"), "all")
        return [row for row in rows if row["predictions"]]

    def delete_all(self, project: int, predictions: Mapping[int, Sequence[int]]) -> None:
        """Delete these predictions, given by task, which were all that each of the tasks had.

        Tasks with equally many are deleted in one call, and their number is a filter that Label
        Studio checks, so a task that has another one by now is left. Label Studio sets the number
        of each to one less than it was, and counts anew what it finds no more: nothing.
        """
        action = "delete_tasks_predictions"
        self._counted.clear()
        for count in sorted({len(ids) for ids in predictions.values() if ids}):
            unchanged = joined([where("total_predictions", "equal", count)])
            tasks = [task for task, ids in predictions.items() if len(ids) == count]
            for part in batches(tasks, max(AT_ONCE // count, 1)):
                are_many = len(part) * count >= FEWEST_AT_ONCE
                if not (are_many and self._calls.delete_at_once(project, action, part, unchanged)):
                    for task in part:
                        for prediction in predictions[task]:
                            self.delete(prediction)

    def of_tasks_with(self, project: int, versions: Sequence[str]) -> Iterator[JsonObject]:
        """The tasks with a prediction whose model version contains one of these strings.

        With `id`, both annotation counts and all `predictions`.
        """
        filters = [where("predictions_model_versions", "contains", list(versions))]
        counts = ("total_annotations", "cancelled_annotations")
        return self._tasks.matching(project, filters, ("id", *counts, "predictions"), "all")

    def delete(self, prediction: int) -> None:
        """Delete one prediction; a missing one is no error."""
        self._counted.clear()
        self._calls.delete(f"/api/predictions/{prediction}/")

    def versions_of_tasks(self, project: int, tasks: Iterable[int]) -> Iterator[set[str]]:
        """The versions of the predictions of each of these tasks that has a prediction."""
        predicted = [where("total_predictions", "greater", 0)]
        for row in self._tasks.among(project, tasks, ("id", "predictions"), "all", predicted):
            yield set(_versions(row))

    def delete_version(self, project: int, version: str) -> int:
        """Delete all predictions of one version and return how many there were.

        Label Studio then clears the project's model version, even if that is the title of a
        connected backend and not the deleted version. Such a title is restored.
        """
        shown = self._projects.get(project)["model_version"]
        path = f"/api/projects/{project}/model-versions/"
        self._counted.clear()
        answer = self._calls.object(
            "DELETE", path, json={"model_version": version}, timeout=_DELETE_SECONDS
        )
        if shown and shown != version and self._projects.get(project)["model_version"] != shown:
            self._projects.set_model_version(project, shown)
        return int(answer["deleted_predictions"])


def _ids(row: JsonObject) -> list[int]:
    return [int(one["id"]) for one in row["predictions"]]


def _versions(row: JsonObject) -> list[str]:
    return [_version(one) for one in row["predictions"]]


def _version(prediction: JsonObject) -> str:
    return str(prediction["model_version"] or "")
