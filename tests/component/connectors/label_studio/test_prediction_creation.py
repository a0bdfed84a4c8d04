"""Predictions of a few tasks of a large project are created one by one."""

import json
from typing import Any

import pytest

from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.prediction_import import DELETED
from tests.fakes.http_server import Asked, FakeHttpServer, Reply
from tests.fakes.prediction_store import BROKEN, GONE, FakePredictionStore

VERSION = "al-0001-aaaa"


class LargeProject:
    """A project of so many tasks; the first of them are kept, each with its predictions."""

    def __init__(self, tasks: int, kept: int) -> None:
        self.tasks = tasks
        self.store = FakePredictionStore(range(1, kept + 1))
        self.singly = 0
        self.copies = 1
        """Predictions that Label Studio stores at a single call: 2 where it runs it again."""
        self.breaks_at = 0
        """The number of the single call whose connection breaks."""
        self.stores_first = True

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/api/projects/1/":
            return Reply(body={"task_number": self.tasks, "label_config": "<View/>"})
        if asked.path == "/api/predictions/":
            return self._create(asked.json)
        return self.store(asked)

    def _create(self, sent: dict[str, Any]) -> Reply:
        if sent["task"] not in self.store.versions:
            return Reply(400, {"task": ["Invalid pk"]})
        self.singly += 1
        breaks = self.singly == self.breaks_at
        if breaks and not self.stores_first:
            return BROKEN
        self.store.store([sent] * self.copies)
        return BROKEN if breaks else Reply(201, {"id": 1})


def create(project: LargeProject, tasks: range):
    rows = [{"task": task, "model_version": VERSION, "score": 0.5, "result": []} for task in tasks]
    with FakeHttpServer(project) as server, LabelStudioClient(server.url, "f" * 40) as client:
        return client.prediction_creation.store(1, rows)


@pytest.mark.parametrize(
    ("total", "count", "singly", "imports"),
    [(1000, 3, 3, 0), (50, 3, 0, 1), (1000, 20, 0, 1), (10**6, 501, 0, 1), (1000, 0, 0, 0)],
)
def test_one_by_one_where_that_takes_less_than_a_recount(total, count, singly, imports):
    project = LargeProject(total, kept=count)
    done = create(project, range(1, count + 1))
    assert (project.singly, project.store.imports) == (singly, imports)
    assert project.store.versions == {task: [VERSION] for task in range(1, count + 1)}
    assert (done.created, done.dropped) == (count, ())


def test_a_deleted_task_is_named_and_the_others_are_stored():
    project = LargeProject(1000, kept=3)
    del project.store.versions[2]
    done = create(project, range(1, 4))
    assert project.store.versions == {1: [VERSION], 3: [VERSION]}
    assert (done.created, done.dropped) == (2, ((2, DELETED),))


def test_what_label_studio_stored_twice_is_deleted_once():
    project = LargeProject(1000, kept=2)
    project.copies = 2
    create(project, range(1, 3))
    left = json.dumps(project.store.versions)
    assert left.count(VERSION) == 2


@pytest.mark.parametrize("stores_first", [True, False])
def test_after_a_connection_that_broke_each_task_has_one_prediction(stores_first):
    project = LargeProject(1000, kept=3)
    project.breaks_at, project.stores_first = 2, stores_first
    done = create(project, range(1, 4))
    assert (done.created, done.dropped) == (3, ())
    left = [[one for one in made if one != GONE] for made in project.store.versions.values()]
    assert left == [[VERSION]] * 3
