"""Label Studio's tasks, predictions, annotations and drafts, as its Data Manager actions see them.

Written after `data_manager/actions` of Label Studio 1.23.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.http_server import Asked, Reply

OWNER, PERSON = 1, 2
"""Ids of the token's owner and of an annotator."""


class FakeAnnotationStore:
    """Tasks, each with one prediction of `version`; a prediction's id is 1000 + that of its task.

    `on_action` and `on_delete` are called before an action or a deletion is carried out, the former
    with a function that does it; a reply of theirs is sent instead. `on_list` is called before each
    listing. Labeled tasks are listed without those that are `uncounted`.
    """

    def __init__(self, tasks: Iterable[int], version: str) -> None:
        self.version = version
        self.annotations: dict[int, list[dict[str, Any]]] = {task: [] for task in tasks}
        self.drafts: dict[int, list[dict[str, Any]]] = {task: [] for task in self.annotations}
        self.on_action: Callable[[Callable[[], None]], Reply | None] = lambda run: None
        self.on_delete: Callable[[int], Reply | None] = lambda annotation: None
        self.on_list: Callable[[], None] = lambda: None
        self.actions: list[str] = []
        self.uncounted: set[int] = set()
        self._last = 0
        self._changed = dict.fromkeys(self.annotations, 0)
        self._changes = 0

    def annotate(self, task: int, **fields: Any) -> int:
        """Annotate a task as a person does in the editor."""
        self._last += 1
        person = {
            "completed_by": PERSON,
            "updated_by": PERSON,
            "lead_time": 4.2,
            "was_cancelled": False,
        }
        self.annotations[task].append(
            {"id": self._last, "parent_prediction": None, **person, **fields}
        )
        self._touch(task)
        return self._last

    def change(self, task: int, **fields: Any) -> None:
        """Change the first annotation of a task, as a person does; the editor sends `lead_time`."""
        self.annotations[task][0].update(updated_by=PERSON, **fields)
        self._touch(task)

    def draft(self, task: int, annotation: int | None) -> None:
        """Autosave changes to an annotation, or a new one, as a person's editor does."""
        self.drafts[task].append({"annotation": annotation, "user": PERSON})

    def of_people(self) -> set[int]:
        """Tasks with an annotation that a person submitted or changed."""
        return {
            task
            for task, found in self.annotations.items()
            if any(one["updated_by"] for one in found)
        }

    def accepted(self, tasks: Iterable[int]) -> dict[int, int]:
        """Carry out what accepting these tasks does; returns their annotations."""
        parents = {one["parent_prediction"] for found in self.annotations.values() for one in found}
        free = [task for task in tasks if 1000 + task not in parents]
        return {task: self.accept_one(task) for task in free}

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/api/tasks/":
            self.on_list()
            return self._listing(json.loads(asked.query["query"])["filters"]["items"])
        if asked.path == "/api/dm/actions/":
            return self._action(asked)
        if asked.path == "/api/current-user/whoami":
            return Reply(body={"id": OWNER})
        if found := re.fullmatch(r"/api/tasks/(\d+)/drafts", asked.path):
            return Reply(body=self.drafts[int(found[1])])
        if found := re.fullmatch(r"/api/annotations/(\d+)/", asked.path):
            return self.on_delete(int(found[1])) or self.delete(int(found[1]))
        return Reply(404)

    def accept_one(self, task: int) -> int:
        """Create an annotation from the prediction of a task, whatever the task has."""
        made_from = {"parent_prediction": 1000 + task, "completed_by": OWNER}
        return self.annotate(task, **made_from, updated_by=None, lead_time=None)

    def _action(self, asked: Asked) -> Reply:
        self.actions.append(asked.query["id"])
        filters = asked.json.get("filters", {"items": []})["items"]
        tasks = asked.json["selectedItems"]["included"]
        run = {
            "predictions_to_annotations": lambda: self.accepted(self._matching(tasks, filters)),
            "delete_tasks_annotations": lambda: self._clear(tasks, filters),
        }[asked.query["id"]]
        if instead := self.on_action(run):
            return instead
        run()
        return Reply(body={"processed_items": len(tasks)})

    def _clear(self, tasks: Iterable[int], filters: list[dict[str, Any]]) -> None:
        for task in self._matching(tasks, filters):
            self.annotations[task], self.drafts[task] = [], []
            self._touch(task)

    def _matching(self, tasks: Iterable[int], filters: list[dict[str, Any]]) -> list[int]:
        return [task for task in tasks if all(self._matches(task, one) for one in filters)]

    def _matches(self, task: int, one: Mapping[str, Any]) -> bool:
        """Whether a task matches a filter of those that limit an action."""
        found, value = self.annotations[task], one["value"]
        match one["filter"].rpartition(":")[2], one["operator"]:
            case "updated_at", "less_or_equal":
                return self._updated_at(task) <= value
            case "total_annotations", "equal":
                return len(found) == value
            case "draft_exists", "equal":
                return bool(self.drafts[task]) == value
            case "avg_lead_time", "empty":
                return all(one["lead_time"] is None for one in found) == value
            case "annotations_ids", "not_in":
                return not any(value["min"] <= one["id"] <= value["max"] for one in found)
            case column:
                raise AssertionError(f"an unknown filter {column}")

    def _touch(self, task: int) -> None:
        self._changes += 1
        self._changed[task] = self._changes

    def _updated_at(self, task: int) -> str:
        moment = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(milliseconds=self._changed[task])
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def delete(self, annotation: int) -> Reply:
        """Delete an annotation, and with it the drafts of it."""
        for task, found in self.annotations.items():
            if any(one["id"] == annotation for one in found):
                found[:] = [one for one in found if one["id"] != annotation]
                self._touch(task)
                self.uncounted.discard(task)
                drafts = self.drafts[task]
                drafts[:] = [one for one in drafts if one["annotation"] != annotation]
                return Reply(204)
        return Reply(404)

    def _listing(self, filters: list[dict[str, Any]]) -> Reply:
        asked = {
            one["filter"].rpartition(":")[2] + one["operator"]: one["value"] for one in filters
        }
        rows = [
            {
                "id": task,
                "data": {"image": f"/data/{task}.jpg"},
                "updated_at": self._updated_at(task),
                "total_annotations": 0 if task in self.uncounted else len(found),
                "annotations": found,
                "predictions": [{"id": 1000 + task, "model_version": self.version}],
            }
            for task, found in self.annotations.items()
            if task in asked["idin_list"]
            and task > asked["idgreater"]
            and (not asked.get("draft_existsequal") or self.drafts[task])
            and not (found and "annotations_idsnot_in" in asked)
        ]
        return Reply(body={"tasks": rows, "total": len(rows)})
