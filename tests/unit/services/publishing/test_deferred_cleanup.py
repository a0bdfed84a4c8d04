"""What a job superseded is deleted later, and only while nobody waits for a job."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.domain.answers import Choices, Prediction
from backend.domain.audits import OpenAudit
from backend.domain.ids import AuditId, ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import ReviewDecision, ReviewScreen, ReviewVerdict
from backend.domain.versions import Ledger
from backend.services.making_way import LOOK_EVERY
from backend.services.publishing.deferred_cleanup import LABELING, REST, DeferredCleanup
from backend.services.publishing.kept_versions import KeptVersions
from backend.services.publishing.publisher import FORGET_AT_ONCE
from tests.fakes.changes import FakeChanges
from tests.fakes.world import PROJECT, World

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
OLD, AUDITED = VersionName("al-0001-aaaa"), VersionName("al-0002-bbbb")
ANSWERS = {ControlName("c"): Choices((Label("cat"),))}


@pytest.fixture
def world(tmp_path) -> World:
    world = World(tmp_path)
    world.report(world.active_learning, world.job())
    return world


def predict(world: World, version: VersionName, copies: int = 1) -> None:
    for number in range(copies):
        for task in world.label_studio.people:
            name = VersionName(f"{version[:-2]}{number:02}") if number else version
            ref = world.label_studio.ref(task)
            world.label_studio.predictions[task, name] = Prediction(ref, ANSWERS, 0.5, name)


def cleanup(
    world: World, must_wait: Callable[[ProjectId], bool] = lambda _: False, **changes: Any
) -> DeferredCleanup:
    kept = KeptVersions(world.label_studio, world.versions, world.ledgers, world.reviews)
    nobody = FakeChanges(lambda: NOON)
    made = DeferredCleanup(
        world.label_studio, kept, world.ledgers, nobody, must_wait, lambda: NOON, clock=lambda: 0.0
    )
    return replace(made, **changes)


def versions(world: World) -> set[VersionName]:
    return {version for _, version in world.label_studio.predictions}


def test_only_what_is_shown_current_or_audited_stays(world):
    predict(world, OLD)
    predict(world, AUDITED)
    opened = OpenAudit(AuditId(1), AUDITED, frozenset({TaskId(20)}), "")
    world.ledgers.save(PROJECT, Ledger(open_audit=opened))
    assert cleanup(world)(PROJECT)
    assert versions(world) == {AUDITED, world.label_studio.model_version}


def test_predictions_stay_until_what_people_decided_about_them_is_saved(world):
    predict(world, OLD)
    confirmed = {TaskId(20): ReviewDecision(ReviewVerdict.CONFIRMED)}
    world.reviews.decide(PROJECT, ReviewScreen("s-1", OLD, "ann", confirmed))
    world.report(world.active_learning, world.job())
    shown = world.label_studio.model_version
    assert cleanup(world)(PROJECT)
    assert versions(world) == {OLD, shown}
    (unsaved,) = world.reviews.unsaved(PROJECT, 10)
    world.reviews.saved(PROJECT, unsaved, 7)
    assert cleanup(world)(PROJECT)
    assert versions(world) == {shown}


def test_it_makes_way_for_a_job_and_goes_on_later(world):
    predict(world, OLD)
    before = len(world.label_studio.predictions)
    answers = iter([False, False, True])
    assert not cleanup(world, lambda _: next(answers))(PROJECT)
    assert len(world.label_studio.predictions) == before - 2
    assert not cleanup(world, lambda _: True)(PROJECT)
    assert len(world.label_studio.predictions) == before - 2
    assert cleanup(world)(PROJECT)
    assert versions(world) == {world.label_studio.model_version}


@pytest.mark.parametrize("copies", [1, 10])
def test_a_job_deletes_what_it_superseded_itself_if_that_is_little(world, copies):
    predict(world, OLD, copies)
    many = len(world.label_studio.people) * copies > FORGET_AT_ONCE
    world.label_studio.people[TaskId(30)] = dict(ANSWERS)
    world.report(world.active_learning, world.job())
    assert (OLD in versions(world)) == many


class Time:
    """A clock on which each look takes a second, and pauses as long as they say."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.paused: list[float] = []

    def clock(self) -> float:
        self.seconds += 1.0
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


def labeled(when: datetime, project: ProjectId = PROJECT) -> FakeChanges:
    changes = FakeChanges(lambda: when)
    changes.changed(project)
    return changes


def test_while_people_label_it_rests_most_of_the_time(world):
    predict(world, OLD)
    time, before = Time(), len(world.label_studio.predictions)
    changes = labeled(NOON - LABELING / 2)
    rested = cleanup(world, changes=changes, clock=time.clock, pause=time.pause)
    assert rested(PROJECT)
    deletions = before - len(world.label_studio.predictions)
    assert sum(time.paused) == REST * deletions
    assert max(time.paused) <= LOOK_EVERY


def test_it_rests_for_people_who_label_another_project(world):
    predict(world, OLD)
    time = Time()
    changes = labeled(NOON, ProjectId(99))
    assert cleanup(world, changes=changes, clock=time.clock, pause=time.pause)(PROJECT)
    assert time.paused


def test_it_does_not_rest_for_labels_of_long_ago(world):
    predict(world, OLD)
    time = Time()
    changes = labeled(NOON - LABELING)
    assert cleanup(world, changes=changes, clock=time.clock, pause=time.pause)(PROJECT)
    assert not time.paused


def test_it_makes_way_for_a_job_while_it_rests(world):
    predict(world, OLD)
    time = Time()
    changes = labeled(NOON)
    cleaned = cleanup(
        world, lambda _: bool(time.paused), changes=changes, clock=time.clock, pause=time.pause
    )
    assert not cleaned(PROJECT)
    assert len(time.paused) == 1
