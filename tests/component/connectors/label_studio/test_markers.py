"""Markers are stored in the faster of two ways; tests/e2e has the real Label Studio."""

from collections import Counter

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
