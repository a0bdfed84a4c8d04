"""Trainings that start by themselves, with time, jobs and Label Studio faked."""

import threading
from datetime import timedelta

import pytest

from backend.domain.errors import LabelStudioUnreachable, NotFound, OutOfSpace, Reason, ReasonCode
from backend.domain.ids import ProjectId, VersionName
from backend.domain.jobs import JobRequest, JobResult, JobState, Mode
from backend.policies.retraining import RetrainingPolicy
from backend.processes.auto_train_loop import ASK_AGAIN, AutoTrainLoop
from backend.services.auto_train import (
    NOTHING_NEW,
    SWITCHED_OFF,
    AutoTrain,
    consuming,
    retraining_policy,
)
from backend.services.watch_failures import WatchFailures
from backend.settings import Settings
from tests.fakes.backend import FakeBackend
from tests.fakes.changes import FakeChanges
from tests.fakes.domain import NOW, a_job, a_project, a_version
from tests.fakes.steps import FakeSteps

PETS = ProjectId(2)
SHORT = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images")


class World:
    """A project that is ready, and a watcher that looks when it is told to."""

    def __init__(self, on=True):
        self.time = NOW
        self.asked = 0
        self.counting = 0
        """Seconds that it takes to count labels."""
        self.failure = None
        self.labeled, self.looked = False, 0
        self.backend = FakeBackend()
        self.backend.label_studio.known[PETS] = a_project(PETS)
        self.changes = FakeChanges(lambda: self.time)
        self.trigger = AutoTrain(
            self.changes,
            self.backend.versions,
            self.backend.jobs,
            RetrainingPolicy(debounce=30, cooldown=120),
            on=on,
            now=lambda: self.time,
        )
        self.failures = WatchFailures()
        self.watcher = AutoTrainLoop(
            self.changes,
            self.trigger,
            self.status,
            self.backend.start,
            audited=self.audited,
            busy=lambda project: self.backend.jobs.live(project) is not None,
            failures=self.failures,
            clock=self.seconds,
        )

    def seconds(self):
        return (self.time - NOW).total_seconds()

    def status(self, project):
        self.asked += 1
        self.time += timedelta(seconds=self.counting)
        if self.failure:
            raise self.failure
        return self.backend.status(project)

    def audited(self, project):
        self.looked += 1
        return self.labeled

    def later(self, seconds):
        self.time += timedelta(seconds=seconds)
        self.watcher.look()

    def reason(self):
        return self.trigger.decide(PETS, lambda: "").reason

    def ends(self, state, reason=""):
        """The project's last job is over."""
        name = list(self.backend.jobs.jobs)[-1]
        changes = {"reason": reason, "ended_at": self.time}
        self.backend.jobs.jobs[name] = a_job(name, state, **changes)

    @property
    def started(self):
        return self.backend.started


@pytest.fixture
def world():
    return World()


def test_the_first_training_starts_once_people_paused(world):
    world.changes.changed(PETS, 10)
    world.later(4)
    assert not world.started
    assert world.asked == 0, "Label Studio is not asked before the debounce has passed"
    assert world.reason() == "people are annotating; waiting for 5 s of quiet"
    world.later(2)
    assert world.started == [JobRequest(PETS, by_itself=True)]


def test_the_first_training_starts_soon_after_the_minimum_is_met_although_people_go_on(world):
    world.backend.reasons = (SHORT,)
    for _ in range(60):
        world.changes.changed(PETS, 1)
        world.later(1)
    assert not world.started
    world.backend.reasons = ()
    world.changes.changed(PETS, 1)
    world.later(1)
    assert world.started == [JobRequest(PETS, by_itself=True)]


def test_labels_are_not_counted_all_the_time_while_people_annotate(world):
    world.backend.reasons, world.counting = (SHORT,), 2
    for _ in range(60):
        world.changes.changed(PETS, 1)
        world.later(1)
    assert 2 <= world.asked <= 5, "twenty seconds between two counts that take two"


def test_somebody_who_never_pauses_gets_a_training_after_the_longest_wait(world):
    world.backend.versions.cards = [a_version(trained_on={"images": 10})]
    world.changes.changed(PETS, 10)
    for second in range(0, 320, 10):
        world.changes.changed(PETS, 2)
        world.later(10)
        assert bool(world.started) == (second >= 300), second


def test_the_longest_wait_begins_anew_after_a_pause_without_enough_images(world):
    world.backend.versions.cards = [a_version(trained_on={"images": 100})]
    world.changes.changed(PETS, 1)
    world.later(1000)
    assert not world.started, "one image is not enough"
    world.changes.changed(PETS, 500)
    world.later(5)
    assert not world.started, "the pause before does not count"


def test_an_audit_is_tested_as_soon_as_it_is_labeled(world):
    world.changes.changed(PETS, 119)
    world.later(2)
    world.labeled = True
    world.later(1)
    assert (world.started, world.looked) == ([], 1), "asked once, until people change something"
    world.changes.changed(PETS, 1)
    world.later(1)
    assert world.started == [JobRequest(PETS, Mode.AUDITING, by_itself=True)]


def test_no_second_test_is_started_by_a_job_that_closes_the_audit_while_it_is_looked_at(world):
    world.backend.start(JobRequest(PETS, Mode.AUDITING))
    world.labeled = True
    answer = world.audited

    def ends_meanwhile(project):
        found = answer(project)
        world.ends(JobState.FINISHED)
        world.labeled = False
        return found

    world.watcher._audited = ends_meanwhile
    world.changes.changed(PETS, 1)
    world.later(2)
    assert (len(world.started), world.looked) == (1, 0), "the job is waited for first"
    world.ends(JobState.FINISHED)
    world.labeled = False
    world.later(2)
    assert (len(world.started), world.looked) == (1, 1)


def test_a_test_of_an_audit_that_fails_is_not_repeated_every_two_seconds(world):
    world.labeled = True
    world.changes.changed(PETS, 1)
    for _ in range(5):
        world.later(2)
        world.ends(JobState.FAILED)
    assert world.started == [JobRequest(PETS, Mode.AUDITING, by_itself=True)]
    world.later(ASK_AGAIN)
    assert world.started == [JobRequest(PETS, Mode.AUDITING, by_itself=True)] * 2


def test_a_bulk_confirm_of_many_starts_one_training(world):
    world.changes.changed(PETS, 500)
    for _ in range(5):
        world.later(31)
    assert len(world.started) == 1


def test_a_project_that_nobody_changed_is_left_alone(world):
    world.later(1000)
    assert not world.started
    assert world.trigger.decide(PETS, lambda: "") == NOTHING_NEW


def test_switched_off_it_says_so_and_starts_nothing():
    world = World(on=False)
    world.changes.changed(PETS, 500)
    world.later(1000)
    assert not world.started
    assert world.trigger.decide(PETS, lambda: "") == SWITCHED_OFF


def test_what_is_missing_is_said_and_asked_again_only_after_a_change(world):
    world.backend.reasons = (SHORT,)
    world.changes.changed(PETS)
    world.later(31)
    world.later(ASK_AGAIN / 2)
    assert (world.started, world.asked) == ([], 1)
    world.later(ASK_AGAIN)
    assert (world.started, world.asked) == ([], 2)
    decision = world.trigger.decide(PETS, lambda: SHORT.message)
    assert (decision.yes, decision.reason) == (False, SHORT.message)
    world.backend.reasons = ()
    world.changes.changed(PETS)
    world.later(31)
    assert len(world.started) == 1


def test_images_that_need_no_edit_do_not_bend_the_curve_of_boxes(world):
    """Nearly every image of many boxes needs some edit, whatever the detector learned."""

    def asked_for(*curve):
        world.backend.versions.cards = [
            a_version(trained_on={"images": 100 * 4**at}, metrics={"c": metrics})
            for at, metrics in enumerate(curve)
        ][::-1]
        return world.reason()

    world.changes.changed(PETS, 5)
    alone = asked_for({"map50": 0.5}, {"map50": 0.9})
    assert asked_for({"map50": 0.5, "accuracy": 0.0}, {"map50": 0.9, "accuracy": 0.01}) == alone


def test_the_next_training_waits_for_what_the_learning_curve_asks(world):
    world.backend.versions.cards = [a_version(trained_on={"images": 100})]
    world.changes.changed(PETS, 5)
    world.later(31)
    assert not world.started
    assert "5 of" in world.reason()
    world.changes.changed(PETS, 60)
    world.later(31)
    assert len(world.started) == 1


def test_a_running_job_is_not_doubled_and_the_cooldown_follows_it(world):
    world.changes.changed(PETS, 10)
    world.later(31)
    world.changes.changed(PETS, 10)
    world.later(31)
    assert len(world.started) == 1
    assert "running" in world.reason()
    world.ends(JobState.FINISHED)
    world.changes.changed(PETS, 10)
    world.later(100)
    assert len(world.started) == 1
    assert "less than 120 s ago" in world.reason()
    world.later(21)
    assert len(world.started) == 2


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.STOPPED])
def test_a_training_that_came_to_nothing_is_tried_again_after_the_next_annotation(state, world):
    world.changes.changed(PETS, 10)
    world.later(31)
    world.ends(state, "no disk")
    world.later(3600)
    assert len(world.started) == 1
    assert world.reason() == (f"the last training {state} (no disk); waiting for new annotations")
    world.changes.changed(PETS)
    world.later(31)
    assert len(world.started) == 2


def test_a_grouping_is_no_training_to_rest_from(world):
    request = JobRequest(PETS, Mode.GROUPING)
    grouping = a_job("job-1", JobState.FINISHED, request=request, ended_at=NOW)
    world.backend.jobs.jobs["job-1"] = grouping
    world.changes.changed(PETS, 10)
    world.later(31)
    assert len(world.started) == 1


def test_a_label_studio_that_is_away_stops_nothing_but_this_try(world, caplog):
    other = ProjectId(3)
    world.backend.label_studio.known[other] = a_project(other)
    world.failure = LabelStudioUnreachable("it does not answer", "Start it")
    world.changes.changed(PETS, 10)
    world.later(31)
    world.later(2)
    assert (world.started, world.asked) == ([], 1)
    assert "it does not answer" in caplog.text
    world.failure = None
    world.changes.changed(other, 10)
    world.later(ASK_AGAIN)
    assert [request.project for request in world.started] == [PETS, other]


def test_a_deleted_project_is_forgotten(world):
    world.failure = NotFound("no project 2")
    world.changes.changed(PETS, 10)
    world.later(31)
    assert world.changes.pending() == []


def run(world, mode=Mode.ACTIVE_LEARNING, accepted=0, fails=False):
    """A job during which three more are annotated."""

    def work(_job, _steps):
        world.changes.changed(PETS, 3 + accepted)
        if fails:
            raise OutOfSpace("the disk is full")
        world.changes.discount(PETS, accepted)
        return JobResult("done", accepted=accepted)

    version = VersionName("al-0001-3f9c") if mode is Mode.PRE_LABELING else None
    job = a_job(request=JobRequest(PETS, mode, model_version=version))
    return consuming(world.changes, work)(job, FakeSteps())


def test_what_came_while_a_training_ran_still_counts_and_what_it_accepted_does_not(world):
    world.changes.changed(PETS, 10)
    run(world, accepted=50)
    assert world.changes.read(PETS).count == 3


def test_a_training_that_failed_has_consumed_nothing(world):
    world.changes.changed(PETS, 10)
    with pytest.raises(OutOfSpace):
        run(world, fails=True)
    assert world.changes.read(PETS).count == 13


def test_a_job_that_trains_nothing_consumes_nothing(world):
    world.changes.changed(PETS, 10)
    run(world, mode=Mode.SUGGESTING)
    assert world.changes.read(PETS).count == 13


def test_the_settings_set_the_pace():
    said = Settings(train_debounce_seconds=7, train_fewest=3, train_least_share=0.2)
    assert retraining_policy(said) == RetrainingPolicy(
        debounce=7, cooldown=120, gain=0.1, fewest=3, least_share=0.2
    )


class DamagedLedger(Exception):
    """Any error that is none of ours."""


def test_a_project_that_fails_is_named_shown_and_costs_no_other_project(world, caplog):
    other = ProjectId(3)
    world.backend.label_studio.known[other] = a_project(other)
    status = world.watcher._status

    def damaged_for_pets(project):
        if project == PETS:
            raise DamagedLedger("ledger.json")
        return status(project)

    world.watcher._status = damaged_for_pets
    world.changes.changed(PETS, 10)
    world.changes.changed(other, 10)
    world.later(31)
    assert [request.project for request in world.started] == [other]
    assert world.failures.all() == {PETS: "internal error: DamagedLedger"}
    assert f"project {PETS}" in caplog.text
    caplog.clear()
    world.later(2)
    assert not caplog.text, "it is not tried again every two seconds"
    world.watcher._status = status
    world.later(ASK_AGAIN)
    assert [request.project for request in world.started] == [other, PETS]
    assert not world.failures.all()


def test_a_failure_of_a_project_without_changes_is_no_longer_shown(world):
    world.failure = LabelStudioUnreachable("it does not answer")
    world.changes.changed(PETS, 10)
    world.later(31)
    assert PETS in world.failures.all()
    world.changes.forget(PETS)
    world.later(2)
    assert not world.failures.all()


def test_the_thread_outlives_changes_that_cannot_be_listed():
    looked = threading.Event()

    class Broken(FakeChanges):
        times = 0

        def pending(self):
            self.times += 1
            if self.times > 2:
                looked.set()
            raise DamagedLedger("a project that is no number")

    world = World()
    watcher = AutoTrainLoop(
        Broken(lambda: NOW), world.trigger, world.status, world.backend.start, every=0.001
    )
    with watcher.running():
        assert looked.wait(timeout=60)


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=30)])
@pytest.mark.parametrize("state", [JobState.FINISHED, JobState.FAILED])
def test_a_clock_that_once_ran_ahead_does_not_stop_trainings(world, ahead, state):
    world.time = NOW + ahead
    world.changes.changed(PETS, 10)
    world.later(31)
    world.ends(state)
    world.changes.changed(PETS, 10)
    world.time = NOW
    world.later(0)
    assert len(world.started) == 2, world.reason()


@pytest.mark.parametrize("back", [timedelta(days=1), timedelta(days=30)])
def test_a_training_that_failed_is_not_repeated_in_vain_after_the_clock_was_set_back(world, back):
    world.changes.changed(PETS, 10)
    world.time -= back
    world.later(0)
    world.ends(JobState.FAILED, "no disk")
    world.later(3600)
    assert len(world.started) == 1
    world.changes.changed(PETS)
    world.later(31)
    assert len(world.started) == 2
