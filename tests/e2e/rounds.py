"""What one round looks like from outside: in Label Studio, and in the job API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.tab_titles import TabTitle
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.digits import DigitProject
from tests.integration.polling import eventually


@dataclass(frozen=True)
class Shown:
    """What people see of a project.

    `by_score` lists (task, score column) as the Data Manager orders it, lowest first; `tabs` maps
    each tab's title to its tasks, in order.
    """

    model_version: str
    versions: Mapping[str, int]
    predictions: Sequence[Mapping[str, Any]]
    by_score: Sequence[tuple[int, float | None]]
    tabs: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Round:
    """A finished job of a project, and what people saw right after it."""

    project: DigitProject
    annotated: frozenset[int]
    job: Mapping[str, Any]
    shown: Shown

    @property
    def version(self) -> str:
        return self.job["version"]

    @property
    def report(self) -> Mapping[str, Any]:
        return self.job["report"]

    @property
    def waiting(self) -> set[int]:
        """Tasks that nobody had annotated."""
        return set(self.project.truth) - self.annotated


def shown(client: LabelStudioClient, project: int) -> Shown:
    model_version = client.projects.get(project)["model_version"]
    ordered = _listed(
        client,
        project=project,
        query='{"ordering": ["tasks:predictions_score"]}',
        include="id,total_annotations,predictions_score",
    )
    return Shown(
        model_version=model_version,
        versions=client.predictions.versions(project),
        predictions=list(client.predictions.of_version(project, model_version)),
        by_score=[
            (task["id"], task["predictions_score"])
            for task in ordered
            if task["total_annotations"] == 0
        ],
        tabs={
            tab["data"]["title"]: [
                task["id"] for task in _listed(client, view=tab["id"], include="id")
            ]
            for tab in client.tabs.all(project)
        },
    )


def wall_made(client: LabelStudioClient, project: int) -> None:
    """Wait for the tab of what to label first, which a worker makes once a project is connected."""

    def titles() -> list[str]:
        return [tab["data"]["title"] for tab in client.tabs.all(project)]

    eventually(lambda: TabTitle.NEXT_PICKS in titles(), 240)


def start_training(client: LabelStudioClient, project: int) -> None:
    """Press "Start training": Label Studio always answers 200, and keeps no reason."""
    (backend,) = client.registration.backends(project)
    client.http.request_json("POST", f"/api/ml/{backend['id']}/train", json={})


def newest_job(api: Any, project: int) -> str:
    """The id of the project's newest job, as soon as there is one."""
    path = f"/api/projects/{project}/jobs"
    return eventually(lambda: api.call("GET", path).json()["jobs"], 240)[0]["id"]


def _listed(client: LabelStudioClient, **which: Any) -> list[dict[str, Any]]:
    """List tasks; `include` names the columns, as all of them cost five times as much."""
    page = {"page_size": 1000, "resolve_uri": "false", **which}
    return client.http.request_json("GET", "/api/tasks/", params=page)["tasks"]
