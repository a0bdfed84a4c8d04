"""How a bulk import survives a Label Studio that breaks off; tests/e2e has the real one."""

import pytest

from connectors.errors import Rejected, TooLarge, Unreachable
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.prediction_import import DELETED, Imported
from connectors.label_studio.request_size import RequestSize
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHttpServer, Reply
from tests.fakes.prediction_store import BROKEN, GONE, FakePredictionStore

VERSION = "al-0001-aaaa"


@pytest.fixture
def store():
    return FakePredictionStore(tasks=range(1, 7))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def client(store, clock):
    with FakeHttpServer(store) as server:
        yield LabelStudioClient(server.url, "f" * 40, pause=clock.pause, clock=clock)


def predictions(tasks=range(1, 7), regions=0):
    result = [{"id": str(number)} for number in range(regions)]
    return [
        {"task": task, "model_version": VERSION, "score": 0.5, "result": result} for task in tasks
    ]


def only(number, reply):
    return lambda asked: reply if asked == number else None


def assert_each_task_has_one(store):
    left = [[one for one in versions if one != GONE] for versions in store.versions.values()]
    assert left == [[VERSION]] * len(store.versions)


@pytest.mark.parametrize("reply", [BROKEN, Reply(502), Reply(504)])
def test_an_import_that_never_arrived_is_sent_again(client, store, reply):
    store.before = only(1, reply)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert_each_task_has_one(store)


@pytest.mark.parametrize("most", [1, 2, 4])
def test_a_batch_is_halved_until_a_proxy_lets_it_through(client, store, most):
    store.before = lambda number: Reply(413) if store.sizes[-1] > most else None

    assert client.prediction_import.store(1, predictions()) == Imported(6)
    assert_each_task_has_one(store)

    store.versions = {task: [] for task in range(1, 7)}
    before = store.imports
    client.prediction_import.store(1, predictions())
    assert max(store.sizes[before:]) <= most, "what was refused is not tried again"


def test_a_single_prediction_that_a_proxy_refuses_names_the_limit(client, store):
    store.before = lambda number: Reply(413)

    with pytest.raises(TooLarge, match="413") as refused:
        client.prediction_import.store(1, predictions())

    assert "client_max_body_size" in refused.value.hint


@pytest.mark.parametrize("reply", [BROKEN, Reply(502), Reply(504)])
def test_an_import_whose_answer_was_lost_is_not_stored_twice(client, store, reply):
    store.after = only(1, reply)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert store.imports == 1
    assert_each_task_has_one(store)


def test_an_import_that_label_studio_ran_twice_by_itself_leaves_no_doubles(client, store):
    """As it does where its database was locked while it counted; it answers with success."""

    def run_again(_):
        store.store(predictions())

    store.after = run_again

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert store.imports == 1
    assert_each_task_has_one(store)


def test_the_import_of_a_process_that_died_is_waited_for(client, store, clock):
    def arrives():
        if clock.now >= 10 and not any(store.versions.values()):
            store.store(predictions())

    store.on_list = arrives
    client.prediction_import.await_late(1, VERSION, range(1, 7))
    assert clock.now == 10
    assert_each_task_has_one(store)


@pytest.mark.parametrize(("part", "seconds"), [(None, 60), (500, 15)], ids=["whole", "in parts"])
def test_an_import_that_died_with_its_process_is_waited_for_as_long_as_it_may_run(
    client, store, clock, part, seconds
):
    store.part = part
    client.prediction_import.await_late(1, VERSION, [1, 2])
    assert clock.now == seconds
    assert store.imports == 0


@pytest.mark.parametrize(
    ("tasks", "sizes"), [(20, [4, 4]), (35, [7, 1]), (100, [8])], ids=["small", "large", "huge"]
)
def test_a_large_project_is_recounted_after_fewer_imports(client, store, tasks, sizes):
    store.versions = {task: [] for task in range(1, tasks + 1)}
    imports = client.prediction_import
    imports.batch_size, imports.largest_batch, imports.room = 4, 8, 0

    assert client.prediction_import.store(1, predictions(range(1, 9))) == Imported(8)

    assert store.sizes == sizes


def test_where_only_sent_tasks_are_recounted_requests_take_some_seconds(client, store, clock):
    """A second and a half for a prediction here, and a third of that from the fourth import on."""
    store.part, client.prediction_import.quick = 1, 2
    client.prediction_import.request_size = RequestSize(clock, first=4, fewest=1, most=5, seconds=3)
    store.versions = {task: [] for task in range(1, 21)}

    def take_time(number):
        clock.now += store.sizes[-1] * (1.5 if number < 4 else 0.5)

    store.before = take_time

    assert client.prediction_import.store(1, predictions(range(1, 21))) == Imported(20)

    assert store.sizes == [4, 2, 2, 2, 2, 2, 4, 2]
    assert_each_task_has_one(store)


def test_where_all_tasks_are_recounted_a_batch_is_one_request_however_long(client, store, clock):
    client.prediction_import.quick = 2
    client.prediction_import.request_size = RequestSize(clock, first=1, fewest=1, most=1)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert store.sizes == [6]


def test_parts_are_no_larger_than_a_proxy_let_through_before(client, store, clock):
    store.part, client.prediction_import.quick = 1, 2
    client.prediction_import.request_size = RequestSize(clock, first=4, fewest=4, most=4)
    store.before = lambda number: Reply(413) if store.sizes[-1] > 2 else None
    store.versions = {task: [] for task in range(1, 9)}

    assert client.prediction_import.store(1, predictions(range(1, 9))) == Imported(8)

    assert store.sizes == [4, 2, 2, 2, 2], "what was refused is not tried again"


@pytest.mark.parametrize("reply", [BROKEN, Reply(502), Reply(504)])
def test_what_an_import_recounts_is_asked_once_and_patiently(store, clock, reply):
    store.before_refusal = only(1, reply)
    with FakeHttpServer(store) as server:
        client = LabelStudioClient(
            server.url, "f" * 40, patience=30, pause=clock.pause, clock=clock
        )
        client.prediction_import.quick = 2
        client.prediction_import.prepare(1, 2)
        assert store.refusals == 0, "a small import needs no answer"
        client.prediction_import.prepare(1, 3)
        assert client.prediction_import.store(1, predictions()) == Imported(6)
    assert store.refusals == 2


@pytest.mark.parametrize("reply", [BROKEN, Reply(500), Reply(503), Reply(404)])
def test_an_import_does_without_an_answer_to_what_it_recounts(store, clock, reply):
    store.part, store.before_refusal = 1, lambda number: reply
    with FakeHttpServer(store) as server:
        client = LabelStudioClient(
            server.url, "f" * 40, patience=120, pause=clock.pause, clock=clock
        )
        client.prediction_import.quick = 2
        assert client.prediction_import.store(1, predictions()) == Imported(6)
        assert store.sizes == [6], "one request, as where all tasks are recounted"
        assert clock.now < 30
        store.before_refusal = lambda number: None
        assert not client.prediction_import.recounts_all(1), "it is asked again"


def test_an_import_in_parts_can_be_stopped_between_them(store):
    def stop(seconds):
        if store.imports == 2:
            raise InterruptedError

    store.part = 1
    with FakeHttpServer(store) as server:
        imports = LabelStudioClient(server.url, "f" * 40, pause=stop).prediction_import
        imports.quick, imports.request_size = 2, RequestSize(FakeClock(), 2, 2, 2)
        with pytest.raises(InterruptedError):
            imports.store(1, predictions())
    assert store.sizes == [2, 2]


def test_an_import_that_breaks_off_between_two_requests_is_completed(client, store, clock):
    store.part, client.prediction_import.quick = 1, 2
    client.prediction_import.request_size = RequestSize(clock, first=2, fewest=2, most=2)
    store.after = only(2, BROKEN)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert store.sizes == [2, 2, 2]
    assert_each_task_has_one(store)


def test_an_import_that_breaks_off_in_its_second_batch_is_completed(client, store):
    client.prediction_import.batch_size, client.prediction_import.room = 4, 0
    store.after = only(2, BROKEN)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert_each_task_has_one(store)


def test_an_import_that_only_its_last_attempt_stores_is_complete(client, store):
    store.before = lambda number: BROKEN if number < 5 else None
    store.after = only(5, BROKEN)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert_each_task_has_one(store)


def test_tasks_deleted_between_two_attempts_are_named(client, store):
    def delete_then_break(number):
        if number == 1:
            del store.versions[3], store.versions[5]
            return BROKEN
        return None

    store.before = delete_then_break

    done = client.prediction_import.store(1, predictions())

    assert done == Imported(4, ((3, DELETED), (5, DELETED)))
    assert_each_task_has_one(store)


def test_when_all_tasks_are_gone_nothing_is_stored_and_all_are_named(client, store):
    store.versions.clear()

    done = client.prediction_import.store(1, predictions([1, 2]))

    assert done == Imported(0, ((1, DELETED), (2, DELETED)))


def test_no_predictions_make_no_call(client, store):
    assert client.prediction_import.store(1, []) == Imported()
    assert store.imports == 0


def test_a_label_studio_that_keeps_breaking_off_ends_the_import(client, store):
    store.before = lambda number: BROKEN

    with pytest.raises(Unreachable, match="cannot be reached"):
        client.prediction_import.store(1, predictions())

    assert store.imports == 5


def test_a_refusal_for_another_reason_is_raised_without_the_predictions(client, store):
    store.before = lambda number: Reply(400, {"detail": "bad result [secret payload]"})

    with pytest.raises(Rejected, match="project 1") as refused:
        client.prediction_import.store(1, predictions())

    assert "secret payload" not in str(refused.value)


def late(store, clock, seconds):
    """Store the first import so long after the proxy gave up on it, and the others at once."""
    first = []

    def arrive():
        if first and clock.now >= 60 + seconds:
            store.store(first.pop())

    def before(number):
        if number == 1:
            clock.pause(60)
            first.append(predictions())
            return Reply(504)
        return None

    store.before, store.on_list = before, arrive


def test_an_import_that_is_stored_after_the_proxy_gave_up_is_waited_for(client, store, clock):
    late(store, clock, seconds=20)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert store.imports == 1
    assert_each_task_has_one(store)


def test_of_an_import_that_is_stored_after_its_repetition_no_doubles_are_left(client, store, clock):
    late(store, clock, seconds=100)

    assert client.prediction_import.store(1, predictions()) == Imported(6)

    assert store.imports == 2
    assert_each_task_has_one(store)


def test_a_deleted_task_doubles_nothing_that_was_stored_in_parts_before(client, store):
    store.part = 2
    del store.versions[6]

    assert client.prediction_import.store(1, predictions()) == Imported(5, ((6, DELETED),))

    assert_each_task_has_one(store)


def test_predictions_with_many_regions_go_in_smaller_batches(client, store):
    client.prediction_import.batch_regions = 10

    assert client.prediction_import.store(1, predictions(regions=4)) == Imported(6)
    assert client.prediction_import.store(1, predictions([1], regions=40)).created == 1

    assert store.sizes == [2, 2, 2, 1]
