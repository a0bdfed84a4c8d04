"""A job whose process died is gone on with after its last finished step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.domain.answers import Answer
from backend.domain.errors import (
    AutolabelError,
    BadInput,
    LabelStudioUnreachable,
    NotFound,
    ShutDown,
    Stopped,
)
from backend.domain.ids import ControlName, JobId, ProjectId, TaskId, VersionName
from backend.domain.jobs import Algorithm, Job, JobRequest, JobState, Mode
from backend.domain.schema import TaskKind
from backend.domain.steps import Step
from backend.domain.task_lists import ListDraft
from backend.ports.label_studio import Pushed, SerializedPrediction
from backend.services.resuming.restarting import Restarting
from backend.stores.unfinished import UnfinishedJobFiles
from tests.fakes.domain import CHOICES
from tests.fakes.jobs import FakeJobs
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.steps import quiet
from tests.fakes.unfinished import Killed, NotingFamily, UnfinishedOfTheDead, dying
from tests.fakes.world import PROJECT, World

WAITING = {TaskId(task) for task in range(13, 41)}


class HalfPushing(FakeLabelStudio):
    """Takes half of what is pushed, and calls `die` then, as long as it is set."""

    die: Callable[[], None] | None = None
    dies_at_tabs: Callable[[], None] | None = None

    def __init__(self, people: dict[TaskId, dict[ControlName, Answer] | None]) -> None:
        super().__init__(people=people)
        self.pushed: list[TaskId] = []

    def refresh_tabs(self, project: ProjectId) -> None:
        if self.dies_at_tabs:
            self.dies_at_tabs()
        super().refresh_tabs(project)

    def push(
        self,
        project: ProjectId,
        predictions: Sequence[SerializedPrediction],
        lists: Sequence[ListDraft] = (),
    ) -> Pushed:
        whole = predictions if self.die is None else predictions[: len(predictions) // 2]
        self.pushed += [one.task for one in whole]
        result = super().push(project, whole, () if self.die else lists)
        if self.die:
            self.die()
        return result


class Mortal(World):
    """A world whose jobs may die, and count what is trained and predicted."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, label_studio=HalfPushing)
        self.noting = NotingFamily()
        self.families.update(dict.fromkeys(TaskKind, self.noting))
        self.unfinished = UnfinishedOfTheDead(folder)
        self.jobs = FakeJobs()
        cases = self.use_cases(unfinished=self.unfinished, jobs=self.jobs).jobs()
        self.active_learning = cases[Mode.ACTIVE_LEARNING]
        self.pre_labeling = cases[Mode.PRE_LABELING]

    @property
    def studio(self) -> HalfPushing:
        assert isinstance(self.label_studio, HalfPushing)
        return self.label_studio

    @property
    def trainings(self) -> int:
        return len(self.noting.training_sets)

    @property
    def predicted(self) -> list[TaskId]:
        """The unlabeled tasks, as often as a model was asked for them."""
        return [task for asked in self.noting.asked for task in asked if task in WAITING]

    def dies(self, at: Step | None = None, **request: Any) -> None:
        """Run a job that dies when a step begins; without, in the middle of the push."""
        progress = dying(self.unfinished, at) if at else quiet
        if at is None:
            self.studio.die = self.death
        mode = request.get("mode", Mode.ACTIVE_LEARNING)
        work = self.pre_labeling if mode is Mode.PRE_LABELING else self.active_learning
        job = replace(self.job(**request), id=JobId("job-that-died"))
        with pytest.raises(Killed):
            self.report(work, job, progress)
        self.unfinished.is_dead = False
        self.studio.die = None

    def death(self) -> None:
        self.unfinished.is_dead = True
        raise Killed

    def version_names(self) -> list[str]:
        return [one.name for one in self.versions.all(PROJECT)]


@pytest.fixture
def world(tmp_path: Path) -> Mortal:
    return Mortal(tmp_path)


def test_without_a_death_nothing_is_left_and_nothing_said(world: Mortal):
    report = world.run()
    assert "resumed" not in report["reason"]
    assert world.unfinished.all() == []
    assert not list(world.folder.glob("projects/*/.unfinished/*"))


@pytest.mark.parametrize(
    ("step", "after"), [(Step.PREDICT, "training"), (Step.PUSH, "predicting"), (None, "predicting")]
)
def test_no_step_is_done_twice(world: Mortal, step: Step | None, after: str):
    world.dies(step)
    assert world.label_studio.model_version == ""

    report = world.run()

    assert world.trainings == 1
    assert sorted(world.predicted) == sorted(WAITING)
    assert report["reason"].endswith(f"; resumed after {after} of job-that-died, which broke off")
    assert world.version_names() == [report["version"]]
    assert sorted(world.studio.pushed) == sorted(WAITING), "no prediction doubled"
    assert world.label_studio.model_version == report["version"]
    assert report["predicted"] == len(WAITING)


def test_a_job_that_died_before_anything_was_done_begins_anew(world: Mortal):
    world.dies(Step.TRAIN)
    report = world.run()
    assert world.trainings == 1
    assert "resumed" not in report["reason"]


def test_a_job_that_died_after_its_version_was_shown_goes_on_with_it(world: Mortal):
    first = world.run()["version"]
    world.label([TaskId(13), TaskId(14)])
    world.noting.asked.clear()
    # when the process dies after the switch, before the tabs are made
    world.studio.dies_at_tabs = world.death
    with pytest.raises(Killed):
        world.report(world.active_learning, world.job())
    world.unfinished.is_dead, world.studio.dies_at_tabs = False, None
    second = VersionName(world.label_studio.model_version)
    assert second != first

    report = world.run()

    assert report["version"] == second
    assert world.trainings == 2
    labeled = {TaskId(13), TaskId(14)}  # on which the versions are compared, too
    predicted = [task for task in world.predicted if task not in labeled]
    assert sorted(predicted) == sorted(WAITING - labeled)
    assert world.versions.get(PROJECT, second).parent == first
    assert set(world.version_names()) == {first, second}


@pytest.mark.parametrize("change", ["labels", "config", "algorithm"])
def test_a_training_is_done_anew_where_what_it_learned_from_has_changed(world: Mortal, change: str):
    world.dies(Step.PUSH)
    changes: dict[str, Any] = {}
    if change == "labels":
        world.label([TaskId(13)])
    elif change == "config":
        world.label_studio.label_config = CHOICES.replace(
            "</Choices>", '<Choice value="cow"/></Choices>'
        )
    else:
        changes["algorithm"] = Algorithm.PRECISE
    report = world.run(**changes)
    assert world.trainings == 2
    assert "resumed" not in report["reason"]
    assert set(world.label_studio.predictions) == {
        (task, report["version"]) for task in WAITING if world.label_studio.people[task] is None
    }


def test_only_images_that_came_meanwhile_are_predicted(world: Mortal):
    world.dies(Step.PUSH)
    world.label_studio.people[TaskId(41)] = None
    world.label_studio.people.pop(TaskId(40))
    world.noting.asked.clear()
    report = world.run()
    assert world.trainings == 1
    assert world.predicted == []
    assert (TaskId(41),) in world.noting.asked
    assert report["predicted"] == 28


def test_a_damaged_training_is_done_anew(world: Mortal):
    world.dies(Step.PUSH)
    (training,) = world.folder.glob("projects/1/.unfinished/*/training.json")
    training.write_text("{")
    assert "resumed" not in world.run()["reason"]
    assert world.trainings == 2


def test_a_training_whose_model_is_gone_is_done_anew(world: Mortal):
    world.dies(Step.PREDICT)
    for file in world.folder.glob("projects/1/.unfinished/*/models/*/*"):
        file.unlink()
    assert "resumed" not in world.run()["reason"]
    assert world.trainings == 2


def test_damaged_predictions_are_made_anew(world: Mortal):
    world.dies(Step.PUSH)
    (file,) = world.folder.glob("projects/1/.unfinished/*/predictions/*/*/*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert "resumed after training" in world.run()["reason"]


def test_a_version_that_was_deleted_meanwhile_is_published_again(world: Mortal):
    world.dies()
    (gone,) = world.version_names()
    world.versions.discard(PROJECT, [VersionName(gone)])
    report = world.run()
    assert world.trainings == 1
    assert world.version_names() == [report["version"]] != [gone]


def test_predictions_that_arrive_after_the_death_of_their_process_are_waited_for(world: Mortal):
    world.dies()
    # given that Label Studio works on: the other half is stored a few seconds later
    (version,) = world.version_names()
    there = dict(world.label_studio.predictions)
    some = next(iter(there.values()))
    left = WAITING - {task for task, _ in there}
    world.label_studio.late = {
        (task, VersionName(version)): replace(some, image=world.label_studio.ref(task))
        for task in map(TaskId, left)
    }
    world.studio.pushed.clear()
    world.run()
    assert world.label_studio.awaited == [WAITING]
    assert world.studio.pushed == [], "no prediction doubled"


def test_pre_labeling_goes_on_where_it_died(world: Mortal):
    version = world.run()["version"]
    world.label_studio.predictions.clear()
    world.noting.asked.clear()
    request = {"mode": Mode.PRE_LABELING, "model_version": version}
    world.dies(None, **request)
    half = len(world.label_studio.predictions)
    assert 0 < half < len(WAITING)
    world.report(world.pre_labeling, world.job(**request))
    assert sorted(world.predicted) == sorted(WAITING)
    assert {task for task, _ in world.label_studio.predictions} == WAITING


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), ShutDown()])
def test_what_a_job_made_is_kept_when_label_studio_is_away_or_the_worker_ends(
    world: Mortal, error: AutolabelError
):
    def fails() -> None:
        raise error

    world.studio.die = fails
    with pytest.raises(type(error)):
        world.run()
    world.studio.die = None
    assert "resumed after predicting" in world.run()["reason"]
    assert world.trainings == 1


@pytest.mark.parametrize("error", [BadInput("a wrong answer"), Stopped()])
def test_a_job_that_is_stopped_or_fails_in_any_other_way_leaves_nothing(
    world: Mortal, error: AutolabelError
):
    def fails() -> None:
        raise error

    world.studio.die = fails
    with pytest.raises(type(error)):
        world.run()
    assert world.unfinished.all() == []


def test_a_stopped_job_is_not_resumed(world: Mortal):
    world.dies(Step.PUSH)
    stopped = Job(JobId("job-that-died"), JobRequest(PROJECT), JobState.STOPPED)
    world.jobs.jobs[stopped.id] = stopped
    assert "resumed" not in world.run()["reason"]
    assert world.trainings == 2


def test_a_process_that_wakes_up_late_deletes_nothing_of_its_successor(world: Mortal):
    late = replace(world.job(), id=JobId("job-late"))
    world.unfinished.begin(late)
    world.unfinished.begin(world.job())
    world.unfinished.end(late)
    world.unfinished.pause(late)
    (now,) = world.unfinished.all()
    assert (now.job, now.paused, now.deaths) == (world.job().id, False, 1)


class Restarts:
    """A restarter on fakes; the job `died` as told."""

    def __init__(self, folder: Path, **job: Any) -> None:
        self.files = UnfinishedJobFiles(folder)
        self.jobs = FakeJobs()
        request = JobRequest(PROJECT, **job.pop("request", {}))
        died, _ = self.jobs.submit(request)
        self.died = replace(died, state=JobState.FAILED, reason="killed", **job)
        self.jobs.jobs[died.id] = self.died
        self.files.begin(self.died)
        self.failure: Exception | None = None

    def look(self, most: int = 2) -> list[Job]:
        """Look once; returns the jobs that are live then."""
        Restarting(self.files, self.jobs, lambda job: job, self._start, most)()
        return [one for one in self.jobs.jobs.values() if one.state.is_live]

    def _start(self, request: JobRequest) -> tuple[Job, bool]:
        if self.failure:
            raise self.failure
        return self.jobs.submit(request)


def test_a_job_whose_process_died_starts_again_once(tmp_path: Path):
    restarts = Restarts(tmp_path, request={"skipped": True})
    (again,) = restarts.look()
    assert again.request.skipped
    assert restarts.look() == [again]


def test_a_job_that_dies_again_and_again_is_given_up(tmp_path: Path):
    restarts = Restarts(tmp_path)
    for _ in range(2):
        (again,) = restarts.look()
        restarts.files.begin(again)
        restarts.jobs.jobs[again.id] = replace(again, state=JobState.FAILED)
    assert restarts.look() == []


@pytest.mark.parametrize(
    "job",
    [{"state": JobState.STOPPED}, {"state": JobState.FINISHED}, {"request": {"accept": True}}],
)
def test_a_job_that_ended_or_accepts_does_not_start_again_by_itself(
    tmp_path: Path, job: dict[str, Any]
):
    state = job.pop("state", JobState.FAILED)
    restarts = Restarts(tmp_path, **job)
    restarts.jobs.jobs[restarts.died.id] = replace(restarts.died, state=state)
    assert restarts.look() == []


def test_no_job_starts_again_where_that_is_switched_off(tmp_path: Path):
    assert Restarts(tmp_path).look(most=0) == []


def test_a_job_does_not_start_again_once_somebody_started_and_stopped_another(tmp_path: Path):
    restarts = Restarts(tmp_path)
    newer, _ = restarts.jobs.submit(JobRequest(PROJECT))
    restarts.jobs.stop(newer.id)
    assert restarts.look() == []


def test_a_job_that_failed_by_itself_does_not_start_again(tmp_path: Path):
    restarts = Restarts(tmp_path)
    restarts.files.pause(restarts.died)
    assert restarts.look() == []


def test_a_job_that_nobody_knows_is_forgotten(tmp_path: Path):
    restarts = Restarts(tmp_path)
    restarts.jobs.jobs.clear()
    assert restarts.look() == []
    assert restarts.files.all() == []


def test_a_job_waits_with_its_restart_until_label_studio_answers(tmp_path: Path):
    restarts = Restarts(tmp_path)
    restarts.failure = LabelStudioUnreachable("no answer")
    assert restarts.look() == []
    restarts.failure = None
    assert len(restarts.look()) == 1


def test_a_job_that_may_not_start_any_more_is_not_tried_again(tmp_path: Path):
    restarts = Restarts(tmp_path)
    restarts.failure = NotFound("the project is gone")
    assert restarts.look() == []
    restarts.failure = None
    assert restarts.look() == []
