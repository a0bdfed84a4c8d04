"""Accepting and taking back while people work and connections break; tests/e2e has the real one."""

import re
from typing import Any

import pytest

from connectors.errors import Rejected, Unreachable
from connectors.http import HttpClient
from connectors.label_studio.calls import Calls
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.prediction_acceptance import Deletion
from connectors.label_studio.request_size import RequestSize
from tests.fakes.annotation_store import PERSON, FakeAnnotationStore
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHttpServer, Reply

VERSION = "al-0001-aaaa"
TASKS = range(1, 6)
MANY = range(1, 16)
NONE: frozenset[int] = frozenset()
LOST = [Reply(broken=True), Reply(502), Reply(504)]
LISTED = ("id", "data", "annotations", "updated_at")


@pytest.fixture
def store():
    return FakeAnnotationStore(TASKS, VERSION)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def acceptance(store, clock):
    with FakeHttpServer(store) as server:
        client = LabelStudioClient(server.url, "f" * 40, pause=clock.pause, clock=clock)
        yield client.acceptance


def machine(store):
    """The annotations of each task that nobody submitted or changed."""
    return {
        task: [one["id"] for one in found if not one["updated_by"]]
        for task, found in store.annotations.items()
    }


def once(act):
    """Let `act` happen at the first call only."""
    left = [act]
    return lambda *given: left.pop()(*given) if left else None


# --- accepting ------------------------------------------------------------------------------------


def test_each_task_gets_one_annotation_that_is_named(acceptance, store):
    made = acceptance.accept(1, VERSION, TASKS)

    assert made == {task: one for task, (one,) in machine(store).items()}
    assert list(made) == list(TASKS)


def test_what_was_accepted_is_shown_as_labeled_tasks_are_listed(acceptance, store):
    store.annotate(2)
    shown = list[dict[str, Any]]()
    made = acceptance.accept(1, VERSION, TASKS, shown.extend)
    assert {row["id"]: row["annotations"][0]["id"] for row in shown} == made
    assert {frozenset(row) for row in shown} == {frozenset(LISTED)}


def test_tasks_are_accepted_in_calls_that_take_some_seconds(acceptance, store, clock):
    acceptance.request_size = RequestSize(clock, first=3, fewest=1, most=4, seconds=3)
    sizes = list[int]()

    def made_so_far():
        return sum(map(len, machine(store).values()))

    def take_two_seconds_each(run):
        before = made_so_far()
        run()
        sizes.append(made_so_far() - before)
        clock.now += 2 * sizes[-1]

    store.on_action = take_two_seconds_each
    made = acceptance.accept(1, VERSION, TASKS)

    assert list(made) == list(TASKS)
    assert sizes == [3, 1, 1]


@pytest.mark.parametrize("reply", LOST)
def test_an_acceptance_whose_answer_was_lost_is_not_sent_again(acceptance, store, reply):
    def run_and_lose_the_answer(run):
        run()
        return reply

    store.on_action = once(run_and_lose_the_answer)

    assert set(acceptance.accept(1, VERSION, TASKS)) == set(TASKS)

    assert store.actions == ["predictions_to_annotations"]


@pytest.mark.parametrize("reply", LOST)
def test_an_acceptance_that_never_arrived_is_sent_again(acceptance, store, reply):
    store.on_action = once(lambda _: reply)

    assert set(acceptance.accept(1, VERSION, TASKS)) == set(TASKS)

    assert len(store.actions) == 2


def test_one_annotation_a_task_is_left_where_two_calls_ran_at_once(acceptance, store):
    def both(run):
        """The first call read the predictions before the second one created annotations."""
        run()
        for task in TASKS:
            store.accept_one(task)

    store.on_action = once(lambda _: Reply(504))
    again = once(both)
    first, store.on_action = store.on_action, lambda run: first(run) or again(run)

    made = acceptance.accept(1, VERSION, TASKS)

    assert machine(store) == {task: [one] for task, one in made.items()}


def test_one_annotation_a_task_is_left_where_the_first_call_ended_after_its_repetition(
    acceptance, store, clock
):
    late = list(TASKS)

    def give_up(_):
        clock.pause(60)
        return Reply(504)

    def end_late():
        while late and clock.now >= 160:
            store.accept_one(late.pop())

    store.on_action, store.on_list = once(give_up), end_late

    made = acceptance.accept(1, VERSION, TASKS)

    assert not late
    assert machine(store) == {task: [one] for task, one in made.items()}
    assert len(store.actions) == 2


@pytest.mark.parametrize("reply", [None, Reply(500)])
def test_annotations_that_label_studio_did_not_count_are_made_anew(acceptance, store, reply):
    """As when its database was locked between the two: the tasks would be listed as unlabeled."""

    def create_and_fail_to_count(run):
        run()
        store.uncounted |= {2, 4}
        return reply or Reply()

    store.on_action = once(create_and_fail_to_count)

    made = acceptance.accept(1, VERSION, TASKS)

    assert machine(store) == {task: [one] for task, one in made.items()}
    assert set(made) == set(TASKS)
    assert not store.uncounted
    assert len(store.actions) == 2


def test_annotations_that_are_never_counted_are_not_kept(acceptance, store):
    def create_and_fail_to_count(run):
        run()
        store.uncounted |= {2}
        return Reply()

    store.on_action = create_and_fail_to_count

    assert set(acceptance.accept(1, VERSION, TASKS)) == set(TASKS) - {2}

    assert store.annotations[2] == []


def test_annotations_that_are_counted_a_little_later_are_waited_for(acceptance, store, clock):
    def create_and_give_up(run):
        run()
        store.uncounted |= set(TASKS)
        return Reply(504)

    store.on_action = once(create_and_give_up)
    store.on_list = lambda: store.uncounted.clear() if clock.now >= 3 else None

    assert set(acceptance.accept(1, VERSION, TASKS)) == set(TASKS)

    assert len(store.actions) == 1


def test_a_task_that_somebody_annotated_before_is_left_alone(acceptance, store):
    store.annotate(3)

    assert set(acceptance.accept(1, VERSION, TASKS)) == set(TASKS) - {3}

    assert machine(store)[3] == []


def test_a_task_that_somebody_annotates_meanwhile_is_left_to_that_person(acceptance, store):
    deleted = list[int]()
    store.on_action = once(lambda _: store.annotate(3) and None)
    store.on_delete = deleted.append

    made = acceptance.accept(1, VERSION, TASKS)

    assert set(made) == set(TASKS) - {3}
    assert machine(store)[3] == []
    assert not deleted, "none was made beside that of the person"
    assert store.of_people() == {3}


def test_a_task_that_somebody_confirmed_meanwhile_is_not_ours(acceptance, store):
    confirmed = {"completed_by": PERSON, "updated_by": None, "lead_time": None}
    store.on_action = once(
        lambda _: store.annotate(3, parent_prediction=1003, **confirmed) and None
    )

    made = acceptance.accept(1, VERSION, TASKS)

    assert 3 not in made
    assert len(store.annotations[3]) == 1


def test_annotations_that_name_no_prediction_are_reported(acceptance, store):
    def forget_parents(run):
        run()
        for found in store.annotations.values():
            for one in found:
                one["parent_prediction"] = None
        return Reply()

    store.on_action = forget_parents

    with pytest.raises(Rejected, match="do not name the predictions"):
        acceptance.accept(1, VERSION, TASKS)


def test_an_acceptance_that_never_gets_through_is_given_up(acceptance, store):
    store.on_action = lambda _: Reply(504)

    with pytest.raises(Unreachable, match="504"):
        acceptance.accept(1, VERSION, TASKS)

    assert len(store.actions) == 5


# --- what a job that broke off had accepted -------------------------------------------------------


def test_what_is_still_being_accepted_is_waited_for(acceptance, store, clock):
    store.on_list = lambda: store.accepted(TASKS) if clock.now >= 30 else None

    assert set(acceptance.find(1, VERSION, TASKS)) == set(TASKS)

    assert clock.now == 30


def test_what_was_never_accepted_is_waited_for_a_minute(acceptance, clock):
    assert acceptance.find(1, VERSION, TASKS) == {}

    assert clock.now == 60


def test_what_was_never_counted_is_deleted_and_can_be_accepted_again(acceptance, store):
    store.accepted(TASKS)
    store.uncounted |= {2}

    assert set(acceptance.find(1, VERSION, TASKS)) == set(TASKS) - {2}

    assert store.annotations[2] == []


def test_labels_of_people_and_imports_are_not_ours(acceptance, store):
    mine = store.accepted([1])
    store.annotate(2)
    store.annotate(3, completed_by=1, updated_by=None, lead_time=None)  # imported with its task
    store.annotate(
        4, parent_prediction=1004, updated_by=None, lead_time=None
    )  # confirmed in bulk by a person
    store.annotate(5, parent_prediction=77, completed_by=1, updated_by=None, lead_time=None)

    assert acceptance.find(1, VERSION, TASKS) == mine


# --- taking back ----------------------------------------------------------------------------------


def test_what_was_accepted_is_deleted_and_may_be_again(acceptance, store):
    made = acceptance.accept(1, VERSION, TASKS)

    assert acceptance.take_back(1, made) == Deletion(frozenset(TASKS), NONE, NONE)
    assert acceptance.take_back(1, made) == Deletion(NONE, NONE, NONE)

    assert not any(store.annotations.values())


@pytest.mark.parametrize("reply", LOST)
def test_a_deletion_whose_answer_was_lost_takes_nothing_that_people_do_next(store, clock, reply):
    with FakeHttpServer(store) as server:
        client = LabelStudioClient(
            server.url, "f" * 40, patience=30, pause=clock.pause, clock=clock
        )
        made = client.acceptance.accept(1, VERSION, TASKS)

        def delete_then_label(annotation):
            store.delete(annotation)
            store.annotate(1)
            store.annotate(2)
            return reply

        store.on_delete = once(delete_then_label)
        client.acceptance.take_back(1, made)

    assert store.of_people() == {1, 2}
    assert not any(machine(store).values())
    assert "delete_tasks_annotations" not in store.actions


def test_what_a_person_changed_is_kept(acceptance, store):
    made = acceptance.accept(1, VERSION, TASKS)
    store.annotations[2][0]["updated_by"] = PERSON

    assert acceptance.take_back(1, made) == Deletion(frozenset({1, 3, 4, 5}), frozenset({2}), NONE)

    assert store.of_people() == {2}


def test_what_a_person_has_a_draft_of_is_kept_with_the_draft(acceptance, store):
    made = acceptance.accept(1, VERSION, TASKS)
    store.draft(2, made[2])

    assert acceptance.take_back(1, made) == Deletion(frozenset({1, 3, 4, 5}), NONE, frozenset({2}))

    assert machine(store)[2] == [made[2]]
    assert len(store.drafts[2]) == 1


def test_a_draft_of_a_new_annotation_survives_the_deletion_of_ours(acceptance, store):
    made = acceptance.accept(1, VERSION, TASKS)
    store.draft(2, None)

    assert acceptance.take_back(1, made) == Deletion(frozenset(TASKS), NONE, NONE)

    assert not any(machine(store).values())
    assert len(store.drafts[2]) == 1


def test_other_annotations_of_the_same_task_are_kept(acceptance, store):
    made = acceptance.accept(1, VERSION, TASKS)
    store.annotate(2)
    imported = store.annotate(3, completed_by=1, updated_by=None, lead_time=None)

    acceptance.take_back(1, made)

    assert store.of_people() == {2}
    assert machine(store)[3] == [imported]


# --- taking back many at once ---------------------------------------------------------------------


def deletions_by_id(server):
    found = (re.fullmatch(r"/api/annotations/(\d+)/", asked.path) for asked in server.asked)
    return [int(one[1]) for one in found if one]


def included_in_last_action(server):
    *_, last = (asked for asked in server.asked if asked.path == "/api/dm/actions/")
    return last.json["selectedItems"]["included"]


@pytest.fixture
def many():
    return FakeAnnotationStore(MANY, VERSION)


@pytest.fixture
def server(many):
    with FakeHttpServer(many) as running:
        yield running


@pytest.fixture
def bulk(server, clock):
    client = LabelStudioClient(server.url, "f" * 40, pause=clock.pause, clock=clock)
    return client.acceptance


def test_many_untouched_annotations_are_deleted_in_one_call(bulk, many, server):
    made = bulk.accept(1, VERSION, MANY)

    assert bulk.take_back(1, made) == Deletion(frozenset(MANY), NONE, NONE)

    assert not any(many.annotations.values())
    assert many.actions == ["predictions_to_annotations", "delete_tasks_annotations"]
    assert deletions_by_id(server) == []


def test_that_call_spares_what_people_do_until_it_runs(bulk, many, server):
    made = bulk.accept(1, VERSION, MANY)

    def work(_):
        many.change(1, lead_time=3.0)  # in the editor
        many.change(2)  # by a script
        many.annotate(3)
        many.annotate(4, completed_by=1, was_cancelled=True)
        many.draft(5, None)
        many.draft(6, made[6])

    many.on_action = once(work)
    done = bulk.take_back(1, made)

    assert done == Deletion(frozenset(MANY) - {1, 2, 6}, frozenset({1, 2}), frozenset({6}))
    assert many.of_people() == {1, 2, 3, 4}
    assert len(many.drafts[5]) == len(many.drafts[6]) == 1
    assert set(deletions_by_id(server)) == {made[3], made[4], made[5]}


@pytest.mark.parametrize("special", ["another", "uncounted", "confirmed"])
def test_a_task_with_anything_special_is_not_in_that_call(bulk, many, server, special):
    made = bulk.accept(1, VERSION, MANY)
    match special:
        case "another":
            many.annotate(1)
        case "uncounted":
            many.uncounted.add(1)
        case _:
            many.change(1)

    bulk.take_back(1, made)

    assert included_in_last_action(server) == [task for task in MANY if task != 1]


@pytest.mark.parametrize("reply", [Reply(403, body={"detail": "no"}), Reply(500), *LOST])
def test_annotations_are_deleted_by_id_where_that_call_fails(bulk, many, server, reply):
    made = bulk.accept(1, VERSION, MANY)
    many.on_action = once(lambda _: reply)

    assert bulk.take_back(1, made) == Deletion(frozenset(MANY), NONE, NONE)

    assert not any(many.annotations.values())
    assert len(deletions_by_id(server)) == len(MANY)


def test_such_a_call_that_runs_late_deletes_nothing_of_people(bulk, many):
    made, late = bulk.accept(1, VERSION, MANY), []

    def give_up(run):
        late.append(run)
        return Reply(504)

    many.on_action = once(give_up)
    bulk.take_back(1, made)
    for task in MANY:
        many.annotate(task)
    late.pop()()

    assert many.of_people() == set(MANY)


def test_an_action_without_tasks_is_not_sent_since_it_would_take_all_of_the_project(server):
    calls = Calls(HttpClient(server.url, "f" * 40))

    with pytest.raises(ValueError, match="no tasks"):
        calls.action(1, "delete_tasks_annotations", [])

    assert server.asked == []
