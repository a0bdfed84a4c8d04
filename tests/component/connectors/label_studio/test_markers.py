"""Markers are stored in the faster of two ways; tests/e2e has the real Label Studio."""

import json
from collections import Counter
from collections.abc import Iterable

import pytest

from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import Asked, FakeHttpServer, Reply


class Store:
    """A project of so many tasks, which keeps the model versions of predictions by task."""

    def __init__(self, tasks: int, deleted: frozenset[int] = frozenset()) -> None:
        self.tasks = tasks
        self.deleted = deleted
        self.kept: dict[int, str] = {}
        self.calls: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET" and asked.path == "/api/projects/1/":
            return Reply(body={"task_number": self.tasks})
        if asked.path == "/api/projects/1/model-versions/":
            return Reply(body=Counter(self.kept.values()))
        if asked.path == "/api/tasks/":
            there = (task for task in range(1, self.tasks + 1) if task not in self.deleted)
            rows = [
                {"id": task, "predictions_model_versions": self.kept.get(task)} for task in there
            ]
            return Reply(body={"tasks": rows, "total": len(rows)})
        self.calls.append(asked.path)
        sent = asked.json if isinstance(asked.json, list) else [asked.json]
        if any(one["task"] in self.deleted for one in sent):
            return Reply(400, {"detail": "Validation error"})
        assert all(one["result"] == [] for one in sent)
        self.kept |= {one["task"]: one["model_version"] for one in sent}
        return Reply(201, {"created": len(sent), "id": len(self.calls)})


def mark(store: Store, tasks: range) -> None:
    with FakeHttpServer(store) as server, LabelStudioClient(server.url, "f" * 40) as client:
        client.markers.store(1, [(task, "list-1", None) for task in tasks])


@pytest.mark.parametrize(("total", "calls"), [(50, 1), (1000, 3)])
def test_few_markers_in_a_large_project_are_created_one_by_one(total, calls):
    store = Store(total)
    mark(store, range(1, 4))
    assert store.kept == dict.fromkeys(range(1, 4), "list-1")
    assert len(store.calls) == calls


@pytest.mark.parametrize("total", [50, 1000])
def test_a_deleted_task_costs_its_own_marker_only(total):
    store = Store(total, deleted=frozenset({2}))
    mark(store, range(1, 5))
    assert store.kept == dict.fromkeys((1, 3, 4), "list-1")


class Labeled:
    """Labeled tasks, each with a prediction and, up to task `marked`, a marker.

    The marker of task 7 is prediction 70, its other prediction is 71.
    """

    def __init__(self, tasks: int, marked: int) -> None:
        self.tasks = range(1, tasks + 1)
        self.marked = marked
        self.listed: list[int] = []
        """Tasks of each answer that has predictions."""

    def __call__(self, asked: Asked) -> Reply:
        rules = json.loads(asked.query["query"])["filters"]["items"]
        wanted = {(rule["filter"], rule["operator"]): rule["value"] for rule in rules}
        last = wanted.get(("filter:tasks:id", "greater"), 0)
        among = wanted.get(("filter:tasks:id", "in"), {"min": 1, "max": self.tasks[-1]})
        ids = wanted.get(("filter:tasks:id", "in_list"), self.tasks)
        assert wanted["filter:tasks:predictions_model_versions", "contains"] == ["group-", "list-"]
        found = [
            task
            for task in self.tasks[: self.marked]
            if task > last and task in ids and among["min"] <= task <= among["max"]
        ]
        rows = [
            {
                "id": task,
                "predictions": [
                    {"id": task * 10, "model_version": "group-001"},
                    {"id": task * 10 + 1, "model_version": "al-0001-aaaa"},
                ],
            }
            for task in found[: int(asked.query["page_size"])]
        ]
        if asked.query["fields"] == "all":
            self.listed.append(len(rows))
        return Reply(body={"tasks": rows, "total": len(found)})


def annotated(task: int, parent: int | None) -> dict:
    return {"id": task, "annotations": [{"id": task, "parent_prediction": parent}]}


def parents(store: Labeled, tasks: Iterable[dict]) -> list[int | None]:
    with FakeHttpServer(store) as server, LabelStudioClient(server.url, "f" * 40) as client:
        found = client.markers.without_parents(1, tasks, ("group-", "list-"))
        return [one["parent_prediction"] for task in found for one in task["annotations"]]


@pytest.mark.parametrize(("marked", "listed"), [(0, 0), (200, 200), (201, 4), (3000, 4)], ids=str)
def test_an_annotation_of_a_marker_has_no_parent_however_many_markers_there_are(marked, listed):
    """Label Studio lists few markers at once, and of many only those of the tasks at hand."""
    store = Labeled(3000, marked)
    tasks = [annotated(1, 10), annotated(2, 21), annotated(3, None), annotated(150, 1500)]
    tasks.append(annotated(180, 1800))

    shown = parents(store, tasks)

    made_from_marker = [task for task in (1, 150, 180) if task <= marked]
    expected = {1: 10, 2: 21, 3: None, 150: 1500, 180: 1800}
    assert shown == [
        None if task in made_from_marker else parent for task, parent in expected.items()
    ]
    assert sum(store.listed) == listed


def test_annotations_without_a_parent_ask_for_no_markers():
    store = Labeled(3000, 3000)
    assert parents(store, (annotated(task, None) for task in range(1, 1200))) == [None] * 1199
    assert store.listed == []


def test_many_tasks_are_looked_up_in_parts():
    store = Labeled(3000, 3000)
    assert parents(store, (annotated(task, task * 10) for task in range(1, 1200))) == [None] * 1199
    assert sum(store.listed) == 1199
