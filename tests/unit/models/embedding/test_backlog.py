"""The backlog of images to embed: equal content once, and a failure concerns one address only."""

import numpy as np
import pytest

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.ids import TaskId
from backend.models.embedding.backlog import Backlog, PendingImage
from backend.models.embedding.feature_cache import Entry
from backend.models.images.notes import Note

ENTRY = Entry(np.zeros(3, np.float16), np.zeros(6, np.float32), Note(0))


def image(row: int, digest: str) -> PendingImage:
    return PendingImage(row, ImageRef(TaskId(row), f"/{row}.png"), digest)


@pytest.fixture
def backlog() -> Backlog:
    backlog = Backlog()
    backlog.add([image(0, "a"), image(1, "b"), image(2, "a")])
    return backlog


def test_images_of_equal_content_are_queued_once(backlog: Backlog) -> None:
    assert len(backlog) == 2
    assert [one.row for one in backlog.take(2)] == [0, 1]


def test_one_result_is_the_outcome_of_all_images_of_equal_content(backlog: Backlog) -> None:
    backlog.take(2)
    backlog.add([image(3, "a")])

    assert len(backlog) == 0
    assert backlog.embedded("a", ENTRY) == [(0, ENTRY), (2, ENTRY), (3, ENTRY)]


def test_after_a_failure_the_next_image_of_equal_content_is_queued(backlog: Backlog) -> None:
    first, _ = backlog.take(2)

    assert backlog.failed(first, "gone") == (0, NoPrediction(first.ref.task, "gone"))
    assert [one.row for one in backlog.take(1)] == [2]
    assert backlog.failed(image(2, "a"), "gone") == (2, NoPrediction(TaskId(2), "gone"))
    assert len(backlog) == 0


def test_content_that_comes_again_after_its_outcome_is_queued_again(backlog: Backlog) -> None:
    backlog.take(2)
    backlog.embedded("b", ENTRY)
    backlog.add([image(4, "b")])

    assert [one.row for one in backlog.take(1)] == [4]
