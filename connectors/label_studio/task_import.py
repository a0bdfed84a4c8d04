"""Create tasks from their JSON, each once, and with all its annotations.

On SQLite, Label Studio runs an import again by itself when the database was locked. If that was
after the tasks were stored, it reports the second half of them only; else it has lost their
annotations and predictions meanwhile, and stores the tasks without.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.errors import Unreachable
from connectors.label_studio.calls import Calls, JsonObject, send_in_parts
from connectors.label_studio.filters import where
from connectors.label_studio.results import Results
from connectors.label_studio.tasks import Tasks

log = logging.getLogger(__name__)

_SECONDS = 300.0
_TRIES = 5
_ANNOTATION = ("result", "was_cancelled", "ground_truth", "lead_time", "completed_by")
_PREDICTION = ("model_version", "score", "result")


class TaskImport:
    """Imports tasks with their annotations and predictions."""

    def __init__(self, calls: Calls, tasks: Tasks, results: Results) -> None:
        self._calls = calls
        self._tasks = tasks
        self._results = results

    def __call__(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Create tasks from what `Results.tasks` listed; returns their new ids, in order."""
        rows = [_importable(task) for task in tasks]
        if not rows:
            return []
        parts = send_in_parts(rows, lambda some: self._import(project, some))
        return [task for part in parts for task in part]

    def _import(self, project: int, rows: Sequence[JsonObject]) -> list[int]:
        newest = self._tasks.newest(project)
        for _ in range(_TRIES):
            answer = self._post(project, rows)
            ids = [int(task) for task in answer.get("task_ids", ())]
            is_whole = _has_all(answer, rows)
            self._delete_doubles(project, newest, rows, ids if is_whole else ())
            if is_whole:
                return ids
            log.warning("project %s: importing again what came without annotations", project)
        raise Unreachable("Label Studio's database stays locked: tasks came without annotations")

    def _post(self, project: int, rows: Sequence[JsonObject]) -> JsonObject:
        return self._calls.object(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            json=list(rows),
            timeout=_SECONDS,
        )

    def _delete_doubles(
        self, project: int, newest: int, rows: Sequence[JsonObject], ids: Sequence[int]
    ) -> None:
        """Delete tasks after `newest` with the same data as those sent, and another id."""
        since = [where("id", "greater", newest)]
        if self._tasks.count(project, since) <= len(ids):
            return
        sent, known = {_spelled(row["data"]) for row in rows}, set(ids)
        doubles = [
            task["id"]
            for task in self._tasks.matching(project, since, ("id", "data"))
            if task["id"] not in known and _spelled(task["data"]) in sent
        ]
        if doubles:
            log.warning("project %s: deleting %s tasks imported twice", project, len(doubles))
            self._results.delete_tasks(project, doubles)


def _has_all(answer: JsonObject, rows: Sequence[JsonObject]) -> bool:
    """Whether Label Studio counts as many annotations and predictions as were sent."""
    kinds = ("annotation", "prediction")
    sent = {kind: sum(len(row[f"{kind}s"]) for row in rows) for kind in kinds}
    return all(answer.get(f"{kind}_count", sent[kind]) == sent[kind] for kind in kinds)


def _spelled(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True)


def _importable(task: Mapping[str, Any]) -> JsonObject:
    return {
        "data": task["data"],
        "meta": task.get("meta") or {},
        "annotations": [_given(one, _ANNOTATION) for one in task["annotations"]],
        "predictions": [_given(one, _PREDICTION) for one in task["predictions"]],
    }


def _given(one: Mapping[str, Any], keys: Sequence[str]) -> JsonObject:
    return {key: one[key] for key in keys if one.get(key) is not None}
