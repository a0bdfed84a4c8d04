"""Projects of Label Studio."""

from typing import Any

from connectors.errors import NotFound
from connectors.label_studio.calls import Calls, Json


class Projects(Calls):
    """Read, make and set up projects."""

    projects_a_page = 100

    def project(self, project: int) -> Json:
        return self._object("GET", f"/api/projects/{project}/")

    def projects(self) -> list[Json]:
        """All that this token may see, each once, by id."""
        found: dict[int, Json] = {}
        page = 1
        while True:
            try:
                params = {"page": page, "page_size": self.projects_a_page}
                answer = self._object("GET", "/api/projects/", params=params)
            except NotFound:
                break  # the last page emptied between two calls
            found |= {row["id"]: row for row in answer["results"]}
            if not answer.get("next"):
                break
            page += 1
        return [found[project] for project in sorted(found)]

    def create_project(self, title: str, label_config: str, **fields: Any) -> Json:
        body = {"title": title, "label_config": label_config, **fields}
        return self._object("POST", "/api/projects/", json=body)

    def delete_project(self, project: int) -> None:
        self._delete(f"/api/projects/{project}/")

    def set_model_version(self, project: int, version: str) -> None:
        """Make scores, ordering and uncertainty sampling use the predictions of a version.

        Raises:
            Rejected: when no prediction of the project is of this version.
        """
        self._object("PATCH", f"/api/projects/{project}/", json={"model_version": version})

    def set_sampling(self, project: int, sampling: str = "Uncertainty sampling") -> None:
        """In which order the label stream shows tasks; also "Sequential sampling"."""
        self._object("PATCH", f"/api/projects/{project}/", json={"sampling": sampling})
