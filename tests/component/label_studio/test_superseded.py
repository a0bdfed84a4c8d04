"""Which predictions a cleanup deletes first; tests/contract has what it deletes."""

from backend.domain.ids import ProjectId
from backend.label_studio.gateway import LabelStudioGateway
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import FakeHttpServer, Reply
from tests.fakes.prediction_store import GONE, FakePredictionStore

OLD, NEW, MARKER = "al-0001-aaaa", "al-0002-bbbb", "list-cf0fcc-0001-00"


def test_markers_that_disturb_the_order_of_tabs_are_deleted_before_old_predictions():
    store = FakePredictionStore(range(1, 4))
    store.store(
        [{"task": task, "model_version": name} for task in (1, 2, 3) for name in (OLD, NEW)]
    )
    store.store([{"task": 3, "model_version": MARKER}])

    def answer(asked):
        return Reply(body=[]) if asked.path == "/api/dm/views/" else store(asked)

    with FakeHttpServer(answer) as server, LabelStudioClient(server.url, "f" * 40) as client:
        deletions = LabelStudioGateway(client).delete_superseded(ProjectId(1), {NEW}, ())
        assert next(deletions) == 1
        assert store.versions == {1: [OLD, NEW], 2: [OLD, NEW], 3: [OLD, NEW, GONE]}
        assert list(deletions) == [2, 3, 4]

    assert store.versions[1] == [GONE, NEW]


def test_old_predictions_that_are_the_only_ones_of_labeled_tasks_are_deleted_50_at_once():
    tasks = range(1, 131)
    store = FakePredictionStore(tasks)
    store.labeled = set(tasks) - {2}
    store.store([{"task": task, "model_version": OLD} for task in tasks])
    store.store([{"task": 1, "model_version": NEW}])

    with FakeHttpServer(store) as server, LabelStudioClient(server.url, "f" * 40) as client:
        deletions = LabelStudioGateway(client).delete_superseded(ProjectId(1), {NEW}, ())
        assert list(deletions) == [1, 51, 101, 129]

    assert server.paths().count("/api/dm/actions/") == 3
    assert store.versions[1] == [GONE, NEW]
    assert store.versions[2] == [OLD], "nobody labeled it, and it has nothing newer"
    assert {tuple(store.versions[task]) for task in tasks[2:]} == {(GONE,)}
