"""Counting anew what Label Studio has lost count of; tests/e2e has the real one."""

import json
from collections.abc import Iterable

import pytest

from connectors.label_studio.client import LabelStudioClient
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import Asked, FakeHttpServer, Reply

VERSION = "list-000000-0001-00"


class Store:
    """A project with tasks that have an annotation and are counted as unlabeled.

    And with tasks that have none and are counted as labeled.
    """

    def __init__(self, uncounted: set[int], overcounted: Iterable[int] = ()) -> None:
        self.uncounted = uncounted
        self.overcounted = set(overcounted)
        self.markers: dict[int, int] = {}
        self.imports = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/api/projects/1/model-versions/":
            return Reply(body={VERSION: len(self.markers)} if self.markers else {})
        if asked.path == "/api/projects/1/import/predictions":
            self.imports += 1
            sent = {one["task"] for one in asked.json}
            self.markers |= {task: 900 + task for task in sent}
            self.uncounted -= sent
            self.overcounted -= sent
            return Reply(201, {"created": len(asked.json)})
        if asked.method == "DELETE":
            number = int(asked.path.strip("/").rpartition("/")[2])
            del self.markers[number - 900]
            return Reply(204)
        filters = json.loads(asked.query["query"])["filters"]["items"]
        named = {one["filter"].rpartition(":")[2]: one["value"] for one in filters}
        if "annotators" in named:
            found = self.overcounted if named["annotators"] == "True" else self.uncounted
            rows = [{"id": task} for task in sorted(found) if task > named["id"]]
        else:
            rows = [
                {"id": task, "predictions": [{"id": number, "model_version": VERSION}]}
                for task, number in self.markers.items()
                if task > named["id"]
            ]
        return Reply(body={"tasks": rows, "total": len(rows)})


@pytest.fixture
def clock():
    return FakeClock()


def recounted(store: Store, pause) -> int:
    with FakeHttpServer(store) as server:
        return LabelStudioClient(server.url, "f" * 40, pause=pause).recount(1, VERSION)


def test_a_project_whose_counts_are_right_costs_two_requests(clock):
    store = Store(set())
    assert recounted(store, clock.pause) == 0
    assert (store.imports, clock.now) == (0, 0)


def test_uncounted_annotations_are_counted_by_one_import_that_leaves_nothing(clock):
    store = Store({4, 7})
    assert recounted(store, clock.pause) == 2
    assert (store.imports, store.markers, store.uncounted) == (1, {}, set())


def test_deleted_annotations_that_are_still_counted_are_counted_too(clock):
    store = Store({4}, {7})
    assert recounted(store, clock.pause) == 2
    assert (store.imports, store.markers) == (1, {})
    assert store.uncounted == store.overcounted == set()


def test_what_is_being_submitted_is_counted_by_label_studio_itself(clock):
    store = Store({4})
    assert recounted(store, lambda seconds: store.uncounted.clear()) == 0
    assert store.imports == 0
