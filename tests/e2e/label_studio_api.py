"""Calls to Label Studio that only tests and benches need."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from connectors.label_studio.calls import Calls, batches
from connectors.label_studio.client import LabelStudioClient

_IMPORT_SIZE = 5000
_DELETE_SIZE = 1000
_UPLOAD_SIZE = 100


def import_tasks(
    client: LabelStudioClient,
    project: int,
    data: Sequence[Mapping[str, Any]],
    annotations: Sequence[dict[str, Any] | None] = (),
) -> list[int]:
    """Create a task for each item of task data and return the ids in order.

    `annotations` has the annotation of each task, or None. Label Studio imports forty of them in
    the time that one takes alone, and tells no webhook of them.
    """
    if annotations:
        by_people = {"ground_truth": False}  # as the editor sends them; imported ones are true else
        tasks = [
            {"data": one, "annotations": [by_people | given] if given else [], "predictions": []}
            for one, given in zip_longest(data, annotations)
        ]
        return client.task_import(project, tasks)
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


def upload_annotated(
    client: LabelStudioClient,
    project: int,
    paths: Sequence[Path],
    results: Sequence[Sequence[Mapping[str, Any]] | None],
) -> list[int]:
    """Create a task for each image and return the ids in order.

    `results` has the result of each one's annotation, or None; the last ones may be left out.
    """
    data = [{"image": address} for address in _upload(client, project, paths)]
    annotations = [None if result is None else {"result": result} for result in results]
    return import_tasks(client, project, data, annotations)


def _upload(client: LabelStudioClient, project: int, paths: Sequence[Path]) -> list[str]:
    """Upload files that become no tasks yet and return their addresses."""
    calls, addresses = Calls(client.http), list[str]()
    for batch in batches(paths, _UPLOAD_SIZE):
        files = {f"file{n}": (path.name, path.read_bytes()) for n, path in enumerate(batch)}
        ids = calls.object(
            "POST",
            f"/api/projects/{project}/import",
            params={"commit_to_project": "false"},
            files=files,
            timeout=300,
        )["file_upload_ids"]
        listed = calls.array(f"/api/projects/{project}/file-uploads", params={"ids": str(ids)})
        names = {one["id"]: one["file"] for one in listed}
        addresses += [f"/data/{names[one]}" for one in ids]
    return addresses


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
