"""What every implementation of `backend.ports.jobs.AnnotationChanges` does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.ids import ProjectId
from backend.domain.jobs import Events
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.redis_keys import RedisKeys
from backend.ports.jobs import AnnotationChanges
from tests.fakes.changes import FakeChanges

PETS, CARS = ProjectId(1), ProjectId(2)
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class MinuteClock:
    """Moves on by a minute at each look, from nine o'clock."""

    def __init__(self) -> None:
        self.now = NINE - timedelta(minutes=1)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def after(minutes: int) -> datetime:
    return NINE + timedelta(minutes=minutes)


@pytest.fixture(params=["fake", "redis"])
def changes(request: pytest.FixtureRequest, tmp_path: Path) -> AnnotationChanges:
    if request.param == "fake":
        return FakeChanges(MinuteClock())
    url = request.getfixturevalue("redis_url")
    return AnnotationCounter(url, RedisKeys(tmp_path), MinuteClock())


def test_changes_add_up_by_project_with_the_time_of_the_last(changes: AnnotationChanges):
    assert changes.read(PETS) == Events()
    changes.changed(PETS)
    changes.changed(PETS, 3)
    assert changes.read(PETS) == Events(count=4, last=after(1))
    assert changes.read(CARS) == Events()


def test_what_came_while_a_training_ran_still_counts(changes: AnnotationChanges):
    changes.changed(PETS, 10)
    changes.changed(PETS, 2)
    changes.consumed(PETS, 10)
    assert changes.read(PETS) == Events(count=2, last=after(1), trained=after(2))
    assert list(changes.pending()) == [PETS]


def test_a_training_that_saw_more_than_was_counted_leaves_nothing(changes: AnnotationChanges):
    changes.changed(PETS, 2)
    changes.consumed(PETS, 50)
    assert changes.read(PETS) == Events(trained=after(1))
    assert list(changes.pending()) == []


def test_projects_with_changes_are_pending_by_id(changes: AnnotationChanges):
    changes.changed(CARS)
    changes.changed(PETS)
    assert list(changes.pending()) == [PETS, CARS]


def test_annotations_of_our_own_are_not_counted_whether_their_events_are_early_or_late(
    changes: AnnotationChanges,
):
    changes.changed(PETS, 300)
    changes.discount(PETS, 438)
    assert changes.read(PETS) == Events()
    assert list(changes.pending()) == []
    changes.changed(PETS, 100)
    assert list(changes.pending()) == []
    changes.changed(PETS, 41)
    assert changes.read(PETS).count == 3


def test_what_people_did_meanwhile_still_counts(changes: AnnotationChanges):
    changes.changed(PETS, 12)
    changes.discount(PETS, 10)
    assert changes.read(PETS) == Events(count=2, last=after(0))
    assert list(changes.pending()) == [PETS]
