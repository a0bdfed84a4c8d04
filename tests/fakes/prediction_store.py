"""Just enough of Label Studio's tasks and bulk import to break off in the middle of it."""

import json
from collections.abc import Callable

from tests.fakes.http_server import Asked, Reply

BROKEN = Reply(broken=True)


class FakePredictionStore:
    """Tasks by id, each with the versions of its predictions.

    `before` and `after` are called with the number of the import, starting at 1, before and after
    it is stored; a reply of theirs is sent instead of the real one.
    """

    def __init__(self, tasks: range) -> None:
        self.versions: dict[int, list[str]] = {task: [] for task in tasks}
        self.before: Callable[[int], Reply | None] = lambda number: None
        self.after: Callable[[int], Reply | None] = lambda number: None
        self.imports = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("/import/predictions"):
            return self._import(asked)
        if asked.path == "/api/tasks":
            return self._tasks(json.loads(asked.query["query"]))
        return Reply(404)

    def _import(self, asked: Asked) -> Reply:
        self.imports += 1
        if instead := self.before(self.imports):
            return instead
        if any(one["task"] not in self.versions for one in asked.json):
            return Reply(400, {"detail": "Validation error"})
        for one in asked.json:
            self.versions[one["task"]].append(one["model_version"])
        return self.after(self.imports) or Reply(201, {"created": len(asked.json)})

    def _tasks(self, query: dict) -> Reply:
        filters = {
            (one["filter"], one["operator"]): one["value"] for one in query["filters"]["items"]
        }
        wanted = filters.get(("filter:tasks:id", "in_list"))
        version = filters.get(("filter:tasks:predictions_model_versions", "contains"))
        rows = [
            {"id": task, "data": {}, "predictions_model_versions": ",".join(versions)}
            for task, versions in self.versions.items()
            if (wanted is None or task in wanted) and (not version or version[0] in versions)
        ]
        return Reply(body={"tasks": rows, "total": len(rows)})
