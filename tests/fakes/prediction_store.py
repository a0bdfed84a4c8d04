"""Just enough of Label Studio's tasks and bulk import to break off in the middle of it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from connectors.label_studio.calls import batches
from tests.fakes.http_server import Asked, Reply

BROKEN = Reply(broken=True)
GONE = "deleted"


class FakePredictionStore:
    """Tasks by id, each with the versions of its predictions.

    `before` and `after` are called with the number of the import, starting at 1, before and after
    it is stored; a reply of theirs is sent instead of the real one. `on_list` is called before each
    listing. With `part`, so many predictions are stored before the next ones are checked, and
    refused in other words, as with Label Studio's flag for memory-efficient imports. `on_action`
    is called before a deletion of all predictions of tasks; a reply of its is sent instead.
    """

    def __init__(self, tasks: range) -> None:
        self.versions: dict[int, list[str]] = {task: [] for task in tasks}
        self.before: Callable[[int], Reply | None] = lambda number: None
        self.after: Callable[[int], Reply | None] = lambda number: None
        self.before_refusal: Callable[[int], Reply | None] = lambda number: None
        """Called with the number of predictions of task 0 that were sent so far."""
        self.refusals = 0
        self.on_list: Callable[[], None] = lambda: None
        self.on_action: Callable[[], Reply | None] = lambda: None
        self.part: int | None = None
        self.labeled: set[int] = set()
        self.imports = 0
        self.sizes: list[int] = []
        """The number of predictions of each import."""

    def store(self, predictions: Sequence[dict[str, Any]]) -> None:
        for one in predictions:
            self.versions[one["task"]].append(one["model_version"])

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("/import/predictions"):
            return self._import(asked)
        if asked.path.endswith("/model-versions/"):
            counts = Counter(chain.from_iterable(self.versions.values()))
            return Reply(body={version: counts[version] for version in counts if version != GONE})
        if asked.path == "/api/projects/1/":
            return Reply(body={"task_number": len(self.versions)})
        if asked.path == "/api/tasks/":
            self.on_list()
            return self._tasks(json.loads(asked.query["query"]))
        if found := re.fullmatch(r"/api/predictions/(\d+)/", asked.path):
            task, place = divmod(int(found[1]), 100)
            self.versions[task][place] = GONE
            return Reply(204)
        is_clearing = asked.query.get("id") == "delete_tasks_predictions"
        return (self.on_action() or self._clear(asked.json)) if is_clearing else Reply(404)

    def _clear(self, body: dict[str, Any]) -> Reply:
        """Delete all predictions of the tasks that have as many as the filter says."""
        (rule,) = body["filters"]["items"]
        assert (rule["filter"], rule["operator"]) == ("filter:tasks:total_predictions", "equal")
        for task in body["selectedItems"]["included"]:
            left = [version for version in self.versions[task] if version != GONE]
            if len(left) == rule["value"]:
                self.versions[task] = [GONE] * len(self.versions[task])
        return Reply()

    def _import(self, asked: Asked) -> Reply:
        if [one["task"] for one in asked.json] == [0]:
            self.refusals += 1
            if instead := self.before_refusal(self.refusals):
                return instead
            return Reply(400, {"detail": self._refusal()})
        self.imports += 1
        self.sizes.append(len(asked.json))
        if instead := self.before(self.imports):
            return instead
        for part in batches(asked.json, self.part or len(asked.json)):
            if any(one["task"] not in self.versions for one in part):
                return Reply(400, {"detail": "Validation error"})
            self.store(part)
        return self.after(self.imports) or Reply(201, {"created": len(asked.json)})

    def _refusal(self) -> str:
        if self.part:
            return 'contains invalid "task" field: task ID 0 not found in project 1'
        return "Prediction 0: Invalid task ID 0 - task not found in project"

    def _tasks(self, query: dict) -> Reply:
        filters = {
            (one["filter"], one["operator"]): one["value"] for one in query["filters"]["items"]
        }
        wanted = filters.get(("filter:tasks:id", "in_list"))
        version = filters.get(("filter:tasks:predictions_model_versions", "contains"))
        counted = ("filter:tasks:total_predictions", "greater") in filters
        rows = [
            {
                "id": task,
                "data": {},
                "total_annotations": int(task in self.labeled),
                "cancelled_annotations": 0,
                "predictions_model_versions": ",".join(versions),
                "predictions": [
                    {"id": 100 * task + place, "model_version": version}
                    for place, version in enumerate(versions)
                    if version != GONE
                ],
            }
            for task, versions in self.versions.items()
            if (wanted is None or task in wanted)
            and (not version or _any_contains(versions, version))
            and (not counted or set(versions) - {GONE})
        ]
        return Reply(body={"tasks": rows, "total": len(rows)})


def _any_contains(versions: Sequence[str], parts: Sequence[str]) -> bool:
    return any(part in version for version in versions for part in parts)
