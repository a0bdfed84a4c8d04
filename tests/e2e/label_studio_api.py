"""Calls to Label Studio that only tests and benches need."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.label_studio.calls import Calls, batches
from connectors.label_studio.client import LabelStudioClient

_IMPORT_SIZE = 5000
_DELETE_SIZE = 1000


def import_tasks(
    client: LabelStudioClient, project: int, data: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Create a task for each item of task data and return the ids in order."""
    ids: list[int] = []
    for batch in batches(data, _IMPORT_SIZE):
        answer = Calls(client.http).object(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            json=[{"data": dict(one)} for one in batch],
            timeout=300,
        )
        ids += answer["task_ids"]
    return ids


def delete_tasks(client: LabelStudioClient, project: int, tasks: Sequence[int]) -> None:
    for batch in batches(tasks, _DELETE_SIZE):
        Calls(client.http).action(project, "delete_tasks", batch)


def delete_project(client: LabelStudioClient, project: int) -> None:
    """Delete a project; one that does not exist is no error."""
    Calls(client.http).delete(f"/api/projects/{project}/")


def set_sampling(client: LabelStudioClient, project: int, sampling: str) -> None:
    """Set the order of the label stream, such as "Uncertainty sampling"."""
    Calls(client.http).object("PATCH", f"/api/projects/{project}/", json={"sampling": sampling})


def create_prediction(
    client: LabelStudioClient, task: int, result: Sequence[Mapping[str, Any]], **fields: Any
) -> dict[str, Any]:
    """Store a single prediction with `model_version`, `score` and `cluster`."""
    body = {"task": task, "result": list(result), **fields}
    return Calls(client.http).object("POST", "/api/predictions/", json=body)
