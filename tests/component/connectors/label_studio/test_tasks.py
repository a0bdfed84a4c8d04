"""Listing tasks over pages; tests/e2e has the real Label Studio."""

import json

import pytest

from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.filters import MOST_TERMS
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHttpServer, Reply

TASKS = range(1, 26)


def answering(longest, tasks):
    """Lists tasks like Label Studio with `TASK_API_PAGE_SIZE_MAX` set to `longest`."""

    def reply(asked):
        rules = json.loads(asked.query["query"])["filters"]["items"]
        (after,) = (rule["value"] for rule in rules if rule["operator"] == "greater")
        left = [task for task in tasks if task > after]
        rows = left[: min(longest, int(asked.query["page_size"]))]
        body = {"tasks": [{"id": task, "data": {}} for task in rows], "total": len(left)}
        if after:
            tasks.discard(25)
        return Reply(body=body)

    return reply


@pytest.mark.parametrize("longest", [4, 10, 1000])
def test_all_tasks_are_listed_whatever_page_size_label_studio_allows(longest):
    with FakeHttpServer(answering(longest, set(TASKS[:24]))) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        found = [task["id"] for task in client.tasks.unlabeled(1)]

    assert found == list(TASKS[:24])


def test_a_list_whose_last_task_vanishes_between_two_pages_ends():
    with FakeHttpServer(answering(8, set(TASKS))) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        found = [task["id"] for task in client.tasks.unlabeled(1)]

    assert found == list(TASKS[:24])


def test_pages_get_smaller_where_the_images_are_in_the_data():
    """As base64: a page of a thousand would be hundreds of megabytes."""
    pages = []

    def reply(asked):
        rules = json.loads(asked.query["query"])["filters"]["items"]
        after, size = rules[-1]["value"], int(asked.query["page_size"])
        left = range(after + 1, 101)
        data = {"image": "A" * 2_000, "meta": {"more": ["A" * 1_000]}}
        rows = [{"id": task, "data": data} for task in left[:size]]
        pages.append(len(rows))
        return Reply(body={"tasks": rows, "total": len(left)})

    with FakeHttpServer(reply) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        client.tasks.page_characters = 90_000
        found = [task["id"] for task in client.tasks.unlabeled(1)]
        assert next(client.tasks.labeled(1))["id"] == 1

    assert found == list(range(1, 101))
    assert pages == [20, 30, 30, 20, 30]


def test_small_tasks_come_in_large_pages_after_the_first_one():
    with FakeHttpServer(answering(1000, set(TASKS[:24]))) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        for _ in range(2):
            assert len(list(client.tasks.unlabeled(1))) == 24
    assert [int(one.query["page_size"]) for one in server.asked] == [20, 2000, 2000]


def test_counting_before_listing_tells_how_large_pages_may_be():
    def reply(asked):
        rows = [{"id": task, "data": {"image": "A" * 100_000}} for task in TASKS]
        return Reply(body={"tasks": rows[: int(asked.query["page_size"])], "total": len(TASKS)})

    with FakeHttpServer(reply) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        assert client.tasks.count_before_listing(1) == len(TASKS)
        assert next(client.tasks.labeled(1))["id"] == 1
        assert next(client.tasks.unlabeled(1))["id"] == 1
    assert [int(one.query["page_size"]) for one in server.asked] == [20, 100, 160]


def test_tasks_with_their_annotations_come_in_shorter_pages():
    with FakeHttpServer(answering(1000, set(TASKS[:24]))) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        for _ in range(2):
            assert len(list(client.results.tasks(1))) == 24
    assert [int(one.query["page_size"]) for one in server.asked] == [20, 100, 200]


@pytest.mark.parametrize(
    ("of", "seconds", "sizes"),
    [
        (lambda client: client.results.tasks(1), 0.016, [20, 100, 125, 125]),
        (lambda client: client.results.tasks(1), 0.2, [20, 50, 50, 50]),
        (lambda client: client.tasks.matching(1, (), ("id",)), 0.0016, [2000, 1250, 1250, 1250]),
        (lambda client: client.tasks.matching(1, (), ("id",)), 0.01, [2000, 1000, 1000, 1000]),
    ],
    ids=["nested", "nested, very slow", "flat", "flat, very slow"],
)
def test_pages_get_shorter_where_label_studio_takes_long(of, seconds, sizes):
    """Flat ones by half at most, since a part of what they take is for counting the project."""
    clock = FakeClock()

    def reply(asked):
        clock.now += seconds * int(asked.query["page_size"])
        return every(asked)

    every = answering(10_000, set(range(1, 6_000)))
    with FakeHttpServer(reply) as server:
        client = LabelStudioClient(server.url, "f" * 40, clock=clock)
        for _ in zip(of(client), range(sum(sizes[:-1]) + 1), strict=False):
            pass
    assert [int(one.query["page_size"]) for one in server.asked] == sizes


def test_tasks_are_looked_up_by_id_in_requests_of_few_terms():
    terms = []

    def reply(asked):
        rules = json.loads(asked.query["query"])["filters"]["items"]
        values = [rule["value"] for rule in rules]
        (asked_for,) = (value for value in values if isinstance(value, list))
        terms.append(len(values) - 1 + len(asked_for))
        after = values[-1]
        rows = [{"id": task, "data": {}} for task in asked_for if task > after]
        return Reply(body={"tasks": rows, "total": len(rows)})

    with FakeHttpServer(reply) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        found = [task["id"] for task in client.tasks.by_id(1, range(1, 3001, 3))]

    assert found == list(range(1, 3001, 3))
    assert max(terms) <= MOST_TERMS


def test_tasks_whose_ids_are_close_to_each_other_are_looked_up_by_range():
    wanted = [task for task in range(1, 1001) if task % 5]

    def reply(asked):
        rules = json.loads(asked.query["query"])["filters"]["items"]
        (limit,) = (rule["value"] for rule in rules if rule["operator"] == "in")
        after = max(rules[-1]["value"], limit["min"] - 1)
        rows = [{"id": task, "data": {}} for task in range(after + 1, limit["max"] + 1)]
        return Reply(body={"tasks": rows, "total": len(rows)})

    with FakeHttpServer(reply) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        found = [task["id"] for task in client.tasks.by_id(1, wanted)]

    assert found == wanted
    assert len(server.asked) == 2


@pytest.mark.parametrize("joined", ["al-0001-aaaa,al-0002-bbbb", "al-0001-aaaa, al-0002-bbbb"])
def test_every_model_version_of_a_task_is_found_however_the_database_joins_them(joined):
    rows = [{"id": 1, "predictions_model_versions": joined}]
    reply = Reply(body={"tasks": rows, "total": 1})
    with FakeHttpServer(lambda asked: reply) as server:
        client = LabelStudioClient(server.url, "f" * 40)
        found = [client.tasks.predicted_ids(1, f"al-000{name}") for name in ("1-aaaa", "2-bbbb")]

    assert found == [{1}, {1}]
