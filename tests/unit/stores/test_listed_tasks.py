"""The list by which the next round guesses its tasks."""

import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId
from backend.domain.items import ItemKind
from backend.stores.listed_tasks import ListedTaskFiles

TASKS = (
    ImageRef(TaskId(3), "/data/upload/1/a b.jpg"),
    ImageRef(TaskId(4), "s3://bucket/ä.png", ("s3://bucket/2.png",)),
    ImageRef(TaskId(7), "text", kind=ItemKind.TEXT),
)


@pytest.fixture
def listed(tmp_path):
    return ListedTaskFiles(tmp_path)


def test_the_tasks_come_back_as_they_were(listed):
    listed.remember(ProjectId(1), TASKS)
    assert tuple(listed.last(ProjectId(1))) == TASKS
    assert listed.last(ProjectId(2)) == ()


def test_the_newest_list_counts(listed):
    listed.remember(ProjectId(1), TASKS)
    listed.remember(ProjectId(1), TASKS[1:])
    assert tuple(listed.last(ProjectId(1))) == TASKS[1:]


@pytest.mark.parametrize("content", [b"", b"[{", b"[1]", b"\xff\xfe"])
def test_a_damaged_file_is_no_list(listed, tmp_path, content):
    listed.remember(ProjectId(1), TASKS)
    (file,) = (tmp_path / "projects" / "1").iterdir()
    file.write_bytes(content)
    assert listed.last(ProjectId(1)) == ()


def test_a_list_that_is_too_large_takes_no_room(tmp_path):
    small = ListedTaskFiles(tmp_path, most_bytes=200)
    small.remember(ProjectId(1), TASKS[:1])
    small.remember(ProjectId(1), [ImageRef(TaskId(1), "data:image/png;base64," + "A" * 200)])
    assert small.last(ProjectId(1)) == ()
    assert list((tmp_path / "projects" / "1").iterdir()) == []
