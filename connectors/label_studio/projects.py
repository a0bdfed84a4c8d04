"""Projects of Label Studio."""

from typing import Any

from connectors.errors import ResourceNotFound
from connectors.label_studio.calls import Calls, JsonObject

_FIELDS = (
    "id",
    "title",
    "label_config",
    "model_version",
    "sampling",
    "created_at",
    "show_collab_predictions",
    "reveal_preannotations_interactively",
)

_SETTINGS = {"include": ",".join(_FIELDS)}
"""Asks for these fields only. For all of them Label Studio takes longer, the more so the larger a
project is: it counts tasks, annotations and predictions in eight ways."""


class Projects:
    """Read, create and configure projects."""

    page_size = 100

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def get(self, project: int) -> JsonObject:
        """The settings of a project, without its counts."""
        return self._calls.object("GET", f"/api/projects/{project}/", params=_SETTINGS)

    def count_tasks(self, project: int) -> int:
        """Count the tasks of a project, without Label Studio's slower counts."""
        params = {"include": "task_number"}
        row = self._calls.object("GET", f"/api/projects/{project}/", params=params)
        return int(row.get("task_number") or 0)

    def all(self) -> list[JsonObject]:
        """All projects visible to the token, each once, ordered by id."""
        found: dict[int, JsonObject] = {}
        page = 1
        while True:
            try:
                params = {**_SETTINGS, "page": page, "page_size": self.page_size}
                answer = self._calls.object("GET", "/api/projects/", params=params)
            except ResourceNotFound:
                break  # projects were deleted, so the last page does not exist any more
            found |= {row["id"]: row for row in answer["results"]}
            if not answer.get("next"):
                break
            page += 1
        return [found[project] for project in sorted(found)]

    def create(self, title: str, label_config: str, **fields: Any) -> JsonObject:
        body = {"title": title, "label_config": label_config, **fields}
        return self._calls.object("POST", "/api/projects/", json=body)

    def set_label_config(self, project: int, label_config: str) -> None:
        """Replace the labeling config.

        Raises:
            Rejected: when it is not valid, or lacks what annotations use.
        """
        self._change(project, label_config=label_config)

    def recount_labels(self, project: int) -> None:
        """Make Label Studio count anew which labels are in use, after drafts were changed.

        Its settings page refuses labeling configs that lack a label which it counts. With a Redis
        it counts in the background.
        """
        self._calls.http.request_json(
            "POST", f"/api/projects/{project}/summary/reset", json={}, timeout=300.0
        )

    def set_model_version(self, project: int, version: str) -> None:
        """Select the version whose predictions give scores, ordering and uncertainty sampling.

        Raises:
            Rejected: when the project has no prediction of this version.
        """
        self._change(project, model_version=version)

    def _change(self, project: int, **fields: Any) -> None:
        """Change fields of a project. For an answer with counts, all tasks would be counted."""
        path, params = f"/api/projects/{project}/", {"include": "id"}
        self._calls.object("PATCH", path, params=params, json=fields)
