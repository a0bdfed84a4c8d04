"""Creating tasks whole and once where Label Studio imports twice; tests/e2e has the real one."""

import json
from typing import Any

import pytest

from connectors.errors import Unreachable
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import Asked, FakeHttpServer, Reply


class Store:
    """A project with tasks; `runs` says how often it runs an import, of which it reports the last.

    Somebody else imports `foreign` at the same time. The first `bare` imports lose the annotations.
    """

    def __init__(
        self, runs: int = 1, foreign: tuple[dict[str, Any], ...] = (), bare: int = 0
    ) -> None:
        self.tasks: dict[int, dict[str, Any]] = {1: {"image": "a.jpg"}}
        self.runs = runs
        self.foreign = foreign
        self.bare = bare

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/api/projects/1/import":
            created = [self._add([row["data"] for row in asked.json]) for _ in range(self.runs)]
            self._add(self.foreign)
            self.bare -= 1
            count = 0 if self.bare >= 0 else sum(len(row["annotations"]) for row in asked.json)
            return Reply(201, {"task_ids": created[-1], "annotation_count": count})
        if asked.path == "/api/dm/actions/":
            for task in asked.json["selectedItems"]["included"]:
                del self.tasks[task]
            return Reply(body={"processed_items": 1})
        query = json.loads(asked.query["query"])
        after = max([0, *(one["value"] for one in query["filters"]["items"])])
        ids = sorted(task for task in self.tasks if task > after)
        if query["ordering"] == ["-tasks:id"]:
            ids.reverse()
        rows = [{"id": task, "data": self.tasks[task]} for task in ids]
        size = int(asked.query["page_size"])
        return Reply(body={"tasks": rows[:size], "total": len(rows)})

    def _add(self, data: Any) -> list[int]:
        first = max(self.tasks) + 1
        self.tasks |= dict(enumerate(data, first))
        return list(range(first, first + len(data)))


def imported(store: Store, *images: str) -> list[int]:
    given = {"annotations": [{"result": []}], "predictions": []}
    tasks = [{"data": {"image": one}, **given} for one in images]
    with FakeHttpServer(store) as server:
        return LabelStudioClient(server.url, "f" * 40).task_import(1, tasks)


def test_tasks_are_created_and_named_in_order():
    store = Store()
    assert imported(store, "a.jpg", "b.jpg") == [2, 3]
    assert [one["image"] for one in store.tasks.values()] == ["a.jpg", "a.jpg", "b.jpg"]


def test_what_label_studio_imported_twice_by_itself_is_there_once():
    store = Store(runs=2)
    made = imported(store, "a.jpg", "b.jpg")
    assert {task: store.tasks[task]["image"] for task in made} == {4: "a.jpg", 5: "b.jpg"}
    assert list(store.tasks) == [1, 4, 5]


def test_tasks_that_somebody_else_imports_meanwhile_stay():
    store = Store(runs=2, foreign=({"image": "c.jpg"},))
    made = imported(store, "b.jpg")
    assert [one["image"] for one in store.tasks.values()] == ["a.jpg", "b.jpg", "c.jpg"]
    assert store.tasks[made[0]] == {"image": "b.jpg"}


def test_tasks_that_came_without_their_annotations_are_imported_again():
    store = Store(bare=2)
    made = imported(store, "a.jpg", "b.jpg")
    assert [one["image"] for one in store.tasks.values()] == ["a.jpg", "a.jpg", "b.jpg"]
    assert set(made) < set(store.tasks)


def test_a_database_that_stays_locked_is_named_and_leaves_no_task_behind():
    store = Store(bare=99)
    with pytest.raises(Unreachable, match="stays locked"):
        imported(store, "b.jpg")
    assert list(store.tasks.values()) == [{"image": "a.jpg"}]
