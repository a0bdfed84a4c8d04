"""Labeled tasks are read anew only where they changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from pathlib import Path

import pytest

from backend.domain.errors import LabelStudioUnreachable
from backend.domain.ids import ProjectId, TaskId
from backend.label_studio import labeled_copies, labeling_config
from backend.label_studio.labeled_copies import LabeledCopies
from backend.stores.task_copies import TaskCopyFiles
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.domain import CHOICES
from tests.fakes.http_server import Asked, FakeHttpServer, Reply

PROJECT = ProjectId(1)
SCHEMA = labeling_config.parse(CHOICES)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class People:
    """Labels by task, and when each last changed. `listed` counts those read with annotations.

    `folder` is where the images lie.
    """

    labels: dict[int, str] = field(default_factory=dict)
    changed: dict[int, datetime] = field(default_factory=dict)
    twice: set[int] = field(default_factory=set)
    folder: str = "/data"
    listed: int = 0
    now: datetime = NOON
    page_size: int = 1000
    breaks_after: int | None = None
    """So many labeled tasks are listed with annotations until connections break."""
    calls: list[Asked] = field(default_factory=list)
    during_list: Callable[[], None] = lambda: None
    """Called before each page of a list is answered."""

    def label(self, task: int, label: str) -> None:
        self.now += timedelta(hours=1)
        self.labels[task], self.changed[task] = label, self.now

    def clear(self, task: int) -> None:
        self.now += timedelta(hours=1)
        del self.labels[task]

    def __call__(self, asked) -> Reply:
        self.calls.append(asked)
        rules = json.loads(asked.query["query"])["filters"]["items"]
        wanted = {(rule["filter"], rule["operator"]): rule["value"] for rule in rules}
        is_newest_first = "-tasks:updated_at" in asked.query["query"]
        if not is_newest_first:
            self.during_list()
        since = wanted.get(("filter:tasks:updated_at", "greater"), "")
        last = wanted.get(("filter:tasks:id", "greater"), 0)
        among = wanted.get(
            ("filter:tasks:id", "in"), {"min": 0, "max": max(self.labels, default=0)}
        )
        ids = wanted.get(("filter:tasks:id", "in_list"), self.labels)
        found = [
            self._task(task)
            for task in sorted(self.labels)
            if task > last and task in ids and _text(self.changed[task]) > since
            if among["min"] <= task <= among["max"]
        ]
        if is_newest_first:
            found.sort(key=lambda task: task["updated_at"], reverse=True)
        page = found[: min(int(asked.query["page_size"]), self.page_size)]
        if asked.query["fields"] == "all":
            if self.breaks_after is not None and self.breaks_after < len(page):
                return Reply(broken=True)
            self.breaks_after = self.breaks_after and self.breaks_after - len(page)
            self.listed += len(page)
        return Reply(body={"tasks": page, "total": len(found)})

    def _task(self, task: int) -> dict:
        choice = {"from_name": "c", "to_name": "img", "type": "choices"}
        result = [{**choice, "value": {"choices": [self.labels[task]]}}]
        made = {"id": task * 10, "result": result, "was_cancelled": False}
        annotations = [made, {**made, "id": task * 10 + 1}] if task in self.twice else [made]
        return {
            "id": task,
            "data": {"image": f"{self.folder}/{task}.jpg"},
            "annotations": annotations,
            "updated_at": _text(self.changed[task]),
            "total_annotations": len(annotations),
            "cancelled_annotations": 0,
        }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Reader:
    """Reads the labels through copies in `folder`, and tells how many tasks that listed."""

    def __init__(self, folder, people, client) -> None:
        self.people = people
        self.client = client
        self.copies = TaskCopyFiles(folder)
        self.now = people.now
        self.read = LabeledCopies(client, self.copies, lambda: self.now)

    def __call__(self) -> tuple[dict[int, str], int]:
        before = self.people.listed
        found = {
            int(image.image.task): next(iter(image.answers.values())).labels[0]
            for image in self.read(PROJECT, SCHEMA)
        }
        return found, self.people.listed - before


@pytest.fixture
def people():
    people = People()
    for task in range(1, 7):
        people.label(task, "cat")
    return people


@pytest.fixture
def reader(tmp_path, people):
    with FakeHttpServer(people) as server, LabelStudioClient(server.url, "f" * 40) as client:
        yield Reader(tmp_path, people, client)


def test_all_labeled_tasks_are_read_once_and_then_only_those_that_changed(reader, people):
    assert reader() == (people.labels, 6)
    assert reader() == (people.labels, 0)
    people.label(2, "dog")
    people.label(7, "dog")
    assert reader() == ({1: "cat", 2: "dog", 3: "cat", 4: "cat", 5: "cat", 6: "cat", 7: "dog"}, 2)


def test_labels_that_arrived_at_one_moment_are_read_once(reader, people):
    people.changed = dict.fromkeys(people.changed, people.now)
    assert reader()[1] == 6
    assert reader() == (people.labels, 0)
    # when one of them changes while the others still count as new
    people.changed[3] += timedelta(seconds=1)
    people.labels[3] = "dog"
    # then it alone is read
    assert reader() == (people.labels, 1)


def test_a_change_that_appears_later_than_its_time_says_is_read(reader, people):
    reader()
    people.changed[3] = people.now - timedelta(seconds=30)  # older than the newest
    people.labels[3] = "dog"
    assert reader() == (people.labels, 1)


def test_of_many_changes_each_is_read_once(reader, people):
    reader()
    for task in range(100, 300):
        people.label(task, "dog")
    reader.now = people.now
    assert reader() == (people.labels, 201)  # with the newest of before, whose time is listed, too
    assert reader() == (people.labels, 0)


def test_what_was_read_before_label_studio_went_away_is_not_read_again(reader, people):
    reader()
    for task in range(100, 2200):
        people.label(task, "dog")
    reader.now = people.now
    people.breaks_after = 2000
    with pytest.raises(LabelStudioUnreachable):
        reader()
    people.breaks_after = None
    found, listed = reader()
    assert found == people.labels
    assert listed <= 1000


class TestManyChangesOfAMomentAgo:
    """As after a job that accepted thousands of labels."""

    @pytest.fixture(autouse=True)
    def many(self, monkeypatch, people, reader):
        monkeypatch.setattr(labeled_copies, "MANY", 100)
        reader()
        for task in range(100, 700):
            people.labels[task] = "dog"
            people.changed[task] = NOON + timedelta(days=1, milliseconds=task)
        people.page_size = 100
        reader.now = people.now = NOON + timedelta(days=1, minutes=1)
        assert reader() == (people.labels, 601)  # with the newest of before
        people.calls.clear()

    def test_they_are_counted_and_not_listed_again(self, reader, people):
        assert reader() == (people.labels, 0)
        assert len(people.calls) == 3

    def test_those_after_them_are_read(self, reader, people):
        people.changed[150] = people.changed[2000] = people.now
        people.labels[150] = people.labels[2000] = "cat"
        assert reader() == (people.labels, 2)
        assert len(people.calls) == 4

    def test_one_that_appears_late_is_read(self, reader, people):
        people.labels[3], people.changed[3] = "dog", people.changed[500]
        assert reader() == (people.labels, 1)

    def test_a_second_change_that_appears_late_is_read_some_minutes_later(self, reader, people):
        people.labels[500], people.changed[500] = "cat", people.changed[501]
        reader()
        reader.now += timedelta(minutes=6)
        assert reader() == (people.labels, 1)
        # and then nothing changed for so long that one call tells it
        people.calls.clear()
        assert reader() == (people.labels, 0)
        assert len(people.calls) == 1

    def test_one_without_labels_any_more_is_found(self, reader, people):
        del people.labels[600]
        assert reader() == (people.labels, 0)


def test_of_threads_that_ask_at_once_one_reads_what_changed(reader, people):
    reader()
    for task in range(100, 300):
        people.label(task, "dog")
    reader.now = people.now
    before = people.listed
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: reader.read.refresh(PROJECT), range(4)))
    assert people.listed - before == 201


def test_a_task_that_lost_its_annotations_is_labeled_no_more(reader, people):
    reader()
    people.clear(3)
    # and to find out which one, no annotations are read
    assert reader() == (people.labels, 0)
    assert 3 not in people.labels


def test_as_many_new_labels_as_lost_ones_are_told_apart(reader, people):
    reader()
    people.clear(3)
    people.label(9, "dog")
    assert reader()[0] == people.labels


def test_a_label_given_between_count_and_list_takes_one_more_look_and_not_all_anew(reader, people):
    reader()
    late = iter([(8, "dog")])
    people.during_list = lambda: [people.label(*one) for one in late]
    found, listed = reader()
    assert found == people.labels
    assert listed < len(people.labels)


def test_a_project_without_labels_has_none(reader, people):
    people.labels.clear()
    assert reader() == ({}, 0)
    people.label(1, "cat")
    assert reader()[0] == {1: "cat"}


def test_nothing_is_written_where_nothing_changed(reader, people, tmp_path):
    reader()
    file = tmp_path / "projects" / "1" / "labeled.sqlite"
    for minutes in (1, 5):  # within the time in which late changes may appear, and after it
        reader.now += timedelta(minutes=minutes)
        reader()
        written, calls = _version_of(file), len(people.calls)
        assert reader()[0] == people.labels
        assert _version_of(file) == written
        assert not file.with_name("labeled.sqlite-wal").exists()
    # and after it, one call tells that nothing changed
    assert len(people.calls) - calls == 1


def test_a_change_while_a_long_list_is_read_is_not_missed(reader, people):
    # given a first list that takes longer than late changes are waited for
    def slow_list():
        if not people.calls[1:]:  # the first page was read already
            return
        people.during_list = lambda: None
        people.label(1, "dog")
        people.label(6, "dog")

    people.page_size, people.during_list = 3, slow_list
    first, _ = reader()
    assert first[6] == "dog"
    # when the clock went on
    reader.now = people.now + timedelta(minutes=10)
    # then the change behind the reader's back is seen, though a newer one is known
    assert reader()[0] == people.labels


def test_an_older_copy_replaces_no_newer_one(tmp_path):
    copies = TaskCopyFiles(tmp_path)
    copies.put(PROJECT, [_copy(1, "2026-11-02T00:00:00Z", "new")])
    copies.put(PROJECT, [_copy(1, "2026-11-01T23:59:59.5Z", "old")])
    assert [one["data"] for one in copies.all(PROJECT)] == ["new"]
    copies.put(PROJECT, [_copy(1, "2026-11-02T00:00:00.5Z", "newer by half a second")])
    assert [one["data"] for one in copies.all(PROJECT)] == ["newer by half a second"]


def test_what_another_process_stored_while_all_were_listed_is_kept(tmp_path):
    # given copies of two tasks
    one, other = TaskCopyFiles(tmp_path), TaskCopyFiles(tmp_path)
    kept, lost = (_copy(task, "2026-11-01T00:00:00Z", "old") for task in (1, 2))
    known = one.put(PROJECT, [kept, lost])

    # when another process stores a change and a new task while this one lists all
    newer = "2026-11-01T00:00:05Z"
    other.put(PROJECT, [_copy(1, newer, "new"), _copy(3, newer, "new")])
    retained = one.retain(PROJECT, {TaskId(1)}, known.newest)
    # then only what the list lacks and nobody changed is gone
    assert [(task["id"], task["data"]) for task in one.all(PROJECT)] == [(1, "new"), (3, "new")]
    # and the next look compares anew
    assert (retained.count, retained.complete_until) == (2, None)


def test_a_damaged_file_of_copies_is_made_anew(reader, people, tmp_path):
    reader()
    (tmp_path / "projects" / "1" / "labeled.sqlite").write_bytes(b"no database" * 1000)
    assert reader() == (people.labels, 6)


def test_all_copies_of_a_large_project_are_there_in_order(tmp_path):
    copies = TaskCopyFiles(tmp_path)
    for count in (2500, 3000):
        rows = [_copy(task, "2026-11-02T00:00:00Z", "") for task in range(count)]
        copies.put(PROJECT, reversed(rows))
        assert list(copies.all(PROJECT)) == rows


def _copy(task: int, updated: str, data: str) -> dict:
    return {"id": task, "updated_at": updated, "data": data}


def _version_of(file: Path) -> bytes:
    """The counter in the header of a SQLite file that each transaction increases."""
    return file.read_bytes()[24:28]


def compared(reader) -> tuple[list[dict], int]:
    """Return the labeled tasks as a job reads them, and how many that listed with annotations."""
    before = reader.people.listed
    found = list(reader.read.compared(PROJECT))
    return found, reader.people.listed - before


def test_a_job_reads_all_once_and_then_only_what_changed(reader, people):
    first, listed = compared(reader)
    assert ([task["id"] for task in first], listed) == ([1, 2, 3, 4, 5, 6], 6)
    again, listed = compared(reader)
    assert (again, listed) == (first, 0)
    people.label(3, "dog")
    people.label(7, "dog")
    changed, listed = compared(reader)
    assert listed == 2
    assert [label_of(task) for task in changed] == ["cat", "cat", "dog", "cat", "cat", "cat", "dog"]
    assert compared(reader) == (changed, 0)


def test_a_job_uses_what_a_status_has_read(reader):
    reader()
    assert compared(reader)[1] == 0


def test_a_job_does_not_read_what_it_accepted_itself(reader, people):
    compared(reader)
    people.label(7, "dog")
    (accepted,) = (task for task in reader.client.tasks.labeled(1) if task["id"] == 7)
    reader.read.keep(PROJECT, [accepted])
    found, listed = compared(reader)
    assert (label_of(found[-1]), listed) == ("dog", 0)


def test_a_job_learns_of_no_label_that_is_gone(reader, people):
    compared(reader)
    del people.labels[2]  # nothing else tells of it
    found, listed = compared(reader)
    assert ([task["id"] for task in found], listed) == ([1, 3, 4, 5, 6], 0)


def test_a_job_learns_of_an_annotation_that_changed_no_time(reader, people):
    compared(reader)
    people.twice.add(4)
    found, listed = compared(reader)
    assert [len(task["annotations"]) for task in found] == [1, 1, 1, 2, 1, 1]
    assert (listed, compared(reader)[1]) == (1, 0)


def test_a_job_reads_data_that_changed_no_time(reader, people):
    compared(reader)
    people.folder = "/moved"
    found, listed = compared(reader)
    assert [task["data"]["image"] for task in found][:2] == ["/moved/1.jpg", "/moved/2.jpg"]
    assert listed == 0


def test_a_job_leaves_out_what_was_unlabeled_while_it_read(reader, people):
    compared(reader)
    people.label(2, "dog")
    lists = numbers()
    people.during_list = lambda: people.clear(2) if next(lists) == 1 else None
    assert [task["id"] for task in compared(reader)[0]] == [1, 3, 4, 5, 6]


def test_many_changed_tasks_are_read_by_their_range(reader, people):
    for task in range(1, 1201, 2):
        people.label(task, "cat")
    compared(reader)
    for task in range(1, 1201, 4):
        people.label(task, "dog")
    before = len(people.calls)
    found, listed = compared(reader)
    labels = {task["id"]: label_of(task) for task in found}
    assert labels == people.labels
    assert listed <= len(people.labels)
    nested = [asked for asked in people.calls[before:] if asked.query["fields"] == "all"]
    assert len(nested) == 2
    assert compared(reader)[1] == 0


def label_of(task: dict) -> str:
    return task["annotations"][0]["result"][0]["value"]["choices"][0]
