"""Counting what people changed, in a real Redis."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.ids import ProjectId
from backend.domain.jobs import Events
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.redis_keys import RedisKeys

PETS, CARS = ProjectId(1), ProjectId(2)
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NINE

    def __call__(self) -> datetime:
        return self.now

    def minutes(self, number: int) -> datetime:
        self.now = NINE + timedelta(minutes=number)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events(redis_url: str, tmp_path: Path, clock: Clock) -> AnnotationCounter:
    return AnnotationCounter(redis_url, RedisKeys(tmp_path), clock)


def test_changes_are_counted_with_the_time_of_the_last(events: AnnotationCounter, clock: Clock):
    assert events.read(PETS) == Events()
    events.changed(PETS)
    later = clock.minutes(5)
    events.changed(PETS, 3)
    assert events.read(PETS) == Events(count=4, last=later)
    assert events.read(CARS) == Events()


def test_what_came_while_a_training_ran_still_counts(events: AnnotationCounter, clock: Clock):
    events.changed(PETS, 10)
    # given that the training reads its ten, and two more come while it runs
    last = clock.minutes(1)
    events.changed(PETS, 2)
    trained = clock.minutes(2)
    events.consumed(PETS, 10)
    assert events.read(PETS) == Events(count=2, last=last, trained=trained)


def test_a_training_that_saw_more_than_was_counted_leaves_nothing(
    events: AnnotationCounter, clock: Clock
):
    events.changed(PETS, 2)
    events.consumed(PETS, 50)
    assert events.read(PETS) == Events(trained=NINE)
    later = clock.minutes(3)
    events.changed(PETS)
    assert events.read(PETS) == Events(count=1, last=later, trained=NINE)


def test_without_redis_nothing_is_counted_and_the_log_says_so_once(
    no_redis: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    events = AnnotationCounter(no_redis, RedisKeys(tmp_path))
    events.changed(PETS)
    events.changed(PETS)
    events.consumed(PETS, 1)
    assert events.read(PETS) == Events()
    assert caplog.text.count("changed annotations are not counted") == 1


def test_projects_with_changes_are_listed_until_a_training_has_seen_them(events: AnnotationCounter):
    events.changed(CARS, 4)
    events.changed(PETS)
    assert events.pending() == [PETS, CARS]
    events.consumed(PETS, 1)
    events.consumed(CARS, 3)
    assert events.pending() == [CARS]


def test_without_redis_no_project_is_listed(no_redis: str, tmp_path: Path):
    assert AnnotationCounter(no_redis, RedisKeys(tmp_path)).pending() == []
