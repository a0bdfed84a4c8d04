"""Predictions of Label Studio, by their model version."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from connectors.errors import NotFound
from connectors.label_studio.calls import Json
from connectors.label_studio.projects import Projects
from connectors.label_studio.tasks import Tasks, where

_DELETE_SECONDS = 300.0


class Predictions(Tasks, Projects):
    """List, create one by one, and delete predictions."""

    def predicted_task_ids(
        self, project: int, version: str, between: tuple[int, int] | None = None
    ) -> set[int]:
        """Tasks that carry a prediction of this version; only those `between` two ids if given."""
        filters = [where("predictions_model_versions", "contains", [version])]
        if between:
            filters.append(where("id", "in", {"min": between[0], "max": between[1]}))
        rows = self._pages(project, filters, ("id", "predictions_model_versions"))
        return {row["id"] for row in rows if version in _versions(row)}

    def predictions(self, project: int, version: str) -> Iterator[Json]:
        """The predictions of one version, with `id`, `task`, `score` and `result`."""
        filters = [where("predictions_model_versions", "contains", [version])]
        for task in self._pages(project, filters, ("id", "predictions"), "all"):
            for prediction in task["predictions"]:
                if prediction["model_version"] == version:
                    yield {**prediction, "task": task["id"]}

    def delete_predictions_of(
        self, project: int, tasks: Iterable[int], unwanted: Callable[[str], bool]
    ) -> None:
        """Delete the predictions of these tasks whose version is `unwanted`, one call each.

        Tasks and predictions that are gone meanwhile are passed over.
        """
        predicted = [where("total_predictions", "greater", 0)]
        fields = ("id", "predictions")
        for task in self._among(project, tasks, fields, "all", predicted):
            for prediction in task["predictions"]:
                if unwanted(prediction["model_version"] or ""):
                    self._delete(f"/api/predictions/{prediction['id']}/")

    def create_prediction(
        self,
        task: int,
        result: Sequence[Json],
        *,
        model_version: str,
        score: float,
        cluster: int | None = None,
    ) -> Json:
        """Store one prediction with its `cluster`, which the bulk import would drop.

        About a hundred times slower than the bulk import, and not validated by Label Studio.
        """
        body = {
            "task": task,
            "result": list(result),
            "model_version": model_version,
            "score": score,
            "cluster": cluster,
        }
        return self._object("POST", "/api/predictions/", json=body)

    def set_clusters(self, project: int, version: str, clusters: Mapping[int, int]) -> None:
        """Give the predictions of a version on these tasks their `cluster`.

        One call each; tasks and predictions that are gone meanwhile are passed over.
        """
        for task in self._among(project, clusters, ("id", "predictions"), "all"):
            for prediction in task["predictions"]:
                if prediction["model_version"] == version:
                    body = {"cluster": clusters[task["id"]]}
                    with suppress(NotFound):
                        self._object("PATCH", f"/api/predictions/{prediction['id']}/", json=body)

    def prediction_versions(self, project: int) -> dict[str, int]:
        """How many predictions the project has of each version."""
        return self._object("GET", f"/api/projects/{project}/model-versions/")

    def delete_predictions(self, project: int, version: str) -> int:
        """Delete the predictions of one version; how many there were.

        Label Studio then forgets the project's model version, even where that is the title of a
        connected backend and not the version deleted; such a title is put back.
        """
        shown = self.project(project)["model_version"]
        path = f"/api/projects/{project}/model-versions/"
        answer = self._object(
            "DELETE", path, json={"model_version": version}, timeout=_DELETE_SECONDS
        )
        if shown and shown != version and self.project(project)["model_version"] != shown:
            self.set_model_version(project, shown)
        return int(answer["deleted_predictions"])


def _versions(row: Json) -> list[str]:
    """SQLite joins the versions with commas, PostgreSQL lists them."""
    versions: str | list[str] | None = row.get("predictions_model_versions")
    return versions.split(",") if isinstance(versions, str) else versions or []
