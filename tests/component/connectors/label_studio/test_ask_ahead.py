"""Pages of tasks that are asked for while the caller works on the page before."""

import json
import threading
from itertools import islice
from threading import Event

import pytest

from connectors.errors import Rejected
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.http_server import FakeHttpServer, Reply

SECONDS = 30
"""How long one thread waits for the other."""

FIRST, PAGE, TASKS = 20, 200, 500


class Pages:
    """500 tasks in pages of 20, 200, 200 and 80; `asked` is set once the third is asked for.

    It is answered when `may_answer` is set, first with `faults`.
    """

    def __init__(self, *faults: Reply) -> None:
        self.faults = list(faults)
        self.asked, self.may_answer = Event(), Event()
        self.may_answer.set()
        self.begun: list[int] = []

    def __call__(self, asked):
        rules = json.loads(asked.query["query"])["filters"]["items"]
        (after,) = (rule["value"] for rule in rules if rule["operator"] == "greater")
        self.begun.append(after)
        if after == FIRST + PAGE:
            self.asked.set()
            assert self.may_answer.wait(SECONDS)
            if self.faults:
                return self.faults.pop(0)
        left = range(after + 1, TASKS + 1)
        rows = left[: min(PAGE, int(asked.query["page_size"]))]
        return Reply(
            body={"tasks": [{"id": task, "data": {}} for task in rows], "total": len(left)}
        )


def listing(server, **options):
    return LabelStudioClient(server.url, "f" * 40, **options).tasks.unlabeled(1)


def ids(rows):
    return [row["id"] for row in rows]


def test_the_next_page_is_asked_for_while_this_one_is_read():
    pages = Pages()
    with FakeHttpServer(pages) as server:
        rows = listing(server)
        begin = ids(islice(rows, FIRST + PAGE - 1))
        assert pages.asked.wait(SECONDS)
        assert begin + ids(rows) == list(range(1, TASKS + 1))
    assert pages.begun == [0, FIRST, FIRST + PAGE, FIRST + 2 * PAGE]


def test_who_looks_at_the_first_tasks_only_asks_for_no_further_page():
    pages = Pages()
    with FakeHttpServer(pages) as server:
        rows = listing(server)
        assert ids(islice(rows, FIRST + 10)) == list(range(1, FIRST + 11))
        assert not asking()
        rows.close()
    assert pages.begun == [0, FIRST]


def test_a_server_that_is_away_is_waited_for_in_the_thread_of_the_caller():
    pages, waited = Pages(Reply(503), Reply(503)), []
    with FakeHttpServer(pages) as server:
        rows = listing(
            server, patience=60, pause=lambda _: waited.append(threading.current_thread())
        )
        assert ids(rows) == list(range(1, TASKS + 1))
    assert waited == [threading.current_thread()]


def test_what_is_refused_is_told_after_the_page_before():
    pages, found = Pages(Reply(400, {"detail": "no"})), []
    with FakeHttpServer(pages) as server, pytest.raises(Rejected, match="no"):
        for row in listing(server):
            found.append(row["id"])
    assert found == list(range(1, FIRST + PAGE + 1))
    assert pages.begun == [0, FIRST, FIRST + PAGE]


def test_a_caller_that_stops_does_not_wait_for_the_page():
    pages = Pages()
    pages.may_answer.clear()
    with FakeHttpServer(pages) as server:
        rows = listing(server)
        list(islice(rows, FIRST + PAGE - 1))
        assert pages.asked.wait(SECONDS)
        rows.close()
        (thread,) = asking()
        assert thread.daemon
        pages.may_answer.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert pages.begun == [0, FIRST, FIRST + PAGE]


def asking():
    return [one for one in threading.enumerate() if one.name == "ask-ahead"]
