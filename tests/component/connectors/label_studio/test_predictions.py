"""Deleting the predictions of tasks; tests/e2e has the real Label Studio."""

import pytest

from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.predictions import RECENT
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHttpServer, Reply
from tests.fakes.prediction_store import GONE, FakePredictionStore

OLD, NEW, THEIRS = "al-0001-aaaa", "al-0002-bbbb", "theirs"
TASKS = range(1, 16)


def store_of(*versions):
    store = FakePredictionStore(TASKS)
    for version in versions:
        store.store([{"task": task, "model_version": version} for task in TASKS])
    return store


def delete_ours(store, tasks=TASKS):
    """Returns the number of deletions by id, and of actions."""
    with FakeHttpServer(store) as server, LabelStudioClient(server.url, "f" * 40) as client:
        client.predictions.delete_of_tasks(1, tasks, lambda version: version != THEIRS)
    by_id = [asked.path for asked in server.asked if asked.method == "DELETE"]
    return len(by_id), server.paths().count("/api/dm/actions/")


def left(store):
    return {task: set(versions) - {GONE} for task, versions in store.versions.items()}


def test_the_predictions_of_many_tasks_are_deleted_in_one_call():
    store = store_of(OLD)
    assert delete_ours(store, TASKS[:-1]) == (0, 1)
    assert left(store) == {**{task: set() for task in TASKS}, 15: {OLD}}


def test_tasks_with_predictions_of_others_are_not_in_that_call():
    """Label Studio would delete all of them."""
    store = store_of(OLD)
    store.store([{"task": 3, "model_version": THEIRS}])
    assert delete_ours(store) == (1, 1)
    assert left(store) == {task: {THEIRS} if task == 3 else set() for task in TASKS}


def test_tasks_with_equally_many_predictions_are_deleted_together():
    store = store_of(OLD, NEW)
    store.store([{"task": task, "model_version": "al-0003-cccc"} for task in TASKS[:4]])
    assert delete_ours(store) == (0, 2)
    assert not any(left(store).values())


def test_a_call_deletes_no_more_predictions_of_tasks_with_several():
    store = store_of(*(f"al-000{number}-aaaa" for number in range(1, 6)))
    assert delete_ours(store) == (0, 2)
    assert not any(left(store).values())


@pytest.mark.parametrize("versions", [[OLD], [OLD, NEW]])
def test_what_others_predict_meanwhile_is_kept(versions):
    store = store_of(*versions)

    def predict():
        store.store([{"task": 3, "model_version": THEIRS}])

    store.on_action = predict
    assert delete_ours(store) == (len(versions), 1)
    assert left(store)[3] == {THEIRS}


@pytest.mark.parametrize("reply", [Reply(403, {"detail": "no"}), Reply(500), Reply(broken=True)])
def test_predictions_are_deleted_by_id_where_that_call_fails(reply):
    store = store_of(OLD)
    store.on_action = lambda: reply
    assert delete_ours(store) == (15, 1)
    assert not any(left(store).values())


def test_few_predictions_are_deleted_by_id():
    store = store_of(OLD)
    assert delete_ours(store, TASKS[:3]) == (3, 0)


def test_numbers_of_predictions_are_asked_for_again_when_they_are_old_or_some_were_deleted():
    clock = FakeClock()
    with (
        FakeHttpServer(store_of(OLD)) as server,
        LabelStudioClient(server.url, "f" * 40, clock=clock) as client,
    ):
        versions = client.predictions.versions
        assert versions(1) == versions(1, RECENT) == {OLD: len(TASKS)}
        assert len(server.asked) == 1
        clock.pause(RECENT)
        assert versions(1, RECENT) == versions(1) == {OLD: len(TASKS)}
        assert len(server.asked) == 3
        client.predictions.delete_of_tasks(1, TASKS[:1], lambda _: True)
        assert versions(1, RECENT) == {OLD: len(TASKS) - 1}
