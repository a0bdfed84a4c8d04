"""What every implementation of `backend.ports.application.Backend` does.

The page, the JSON API and the command line are tested on the fake one.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.domain.answers import Choices, ImageRef
from backend.domain.errors import NotFound, Refused
from backend.domain.ids import UNTRAINED, ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job, JobRequest, JobState, Mode
from backend.domain.version_names import control_folder
from backend.domain.versions import Acceptance
from backend.ports.application import Backend
from backend.wiring import application
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import CHOICES, TOO_FEW_DOGS, a_project, a_version
from tests.fakes.label_studio import FIRST as PETS
from tests.fakes.label_studio import FakeLabelStudio, FakeProjects
from tests.fakes.ledgers import FakeLedgers
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.stored_predictions import FakeStoredPredictions
from tests.fakes.versions import FakeVersions
from tests.fakes.world import parts_in

CONTROL = ControlName("c")
UNKNOWN = ProjectId(99)
OLD, NEW = VersionName("al-0001-0000"), VersionName("al-0002-0000")
TASK = {"id": 20, "data": {"image": "/data/upload/20.png"}}
NO_IMAGE = {"id": 9, "data": {}}


class Scene(ABC):
    """A project with enough labels, and what happens to it outside of the port."""

    backend: Backend
    versions: FakeVersions

    def publish(self) -> VersionName:
        """Publish a version that is not the current one."""

        def write(folder: Path) -> None:
            control_folder(folder, CONTROL).mkdir()
            (control_folder(folder, CONTROL) / "labels").write_text("cat\ndog")

        return self.versions.publish(PETS, lambda name: a_version(name, PETS), write).name

    @abstractmethod
    def remove_labels(self) -> None:
        """Leave too few labels for a training."""

    @abstractmethod
    def predict(self, version: VersionName) -> None:
        """Have a stored prediction of TASK by this version."""

    @abstractmethod
    def accept(self, job: JobId) -> None:
        """Have two annotations that the job created."""

    @abstractmethod
    def counted(self) -> int:
        """The number of changed annotations that were counted."""


class FakeScene(Scene):
    def __init__(self, folder: Path) -> None:
        self.versions = FakeVersions(root=folder)
        self.backend = FakeBackend(
            label_studio=FakeProjects({PETS: a_project(PETS)}),
            versions=self.versions,
            reports=folder,
        )

    def remove_labels(self) -> None:
        self.backend.reasons = (TOO_FEW_DOGS,)

    def predict(self, version: VersionName) -> None:
        """Predictions are made up for every task that has an image."""

    def accept(self, job: JobId) -> None:
        self.backend.acceptances[job] = 2

    def counted(self) -> int:
        return sum(annotations for project, annotations in self.backend.changes if project == PETS)


class RealScene(Scene):
    def __init__(self, folder: Path) -> None:
        labels = [Choices((Label(label),)) for label in ("cat", "dog")]
        people: dict[TaskId, Any] = {
            TaskId(task): {CONTROL: labels[task % 2]} if task <= 12 else None
            for task in range(1, 41)
        }
        self.label_studio = FakeLabelStudio(people=people)
        self.versions = FakeVersions(root=folder)
        self.ledgers = FakeLedgers()
        self.stored = FakeStoredPredictions()
        extractor = FakeFeatureExtractor(bad={TaskId(NO_IMAGE["id"]): "the task has no image"})
        parts = parts_in(
            folder,
            self.label_studio,
            versions=self.versions,
            ledgers=self.ledgers,
            stored=self.stored,
            extractor=lambda: extractor,
        )
        self.changes = parts.changes
        self.backend = application(parts)

    def remove_labels(self) -> None:
        self.label_studio.people |= dict.fromkeys(map(TaskId, range(2, 13)))

    def predict(self, version: VersionName) -> None:
        prediction = {"model_version": version, "score": 0.5, "result": []}
        ref = ImageRef(TaskId(TASK["id"]), TASK["data"]["image"])
        self.stored.put(PETS, version, {ref: prediction})

    def accept(self, job: JobId) -> None:
        acceptance = Acceptance(OLD, (TaskId(20), TaskId(21)), (1020, 1021), ())
        self.ledgers.change(PETS, lambda now: replace(now, acceptances={job: acceptance}))

    def counted(self) -> int:
        return self.changes.read(PETS).count


@pytest.fixture(params=[FakeScene, RealScene], ids=["fake", "application"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return request.param(tmp_path)


@pytest.fixture
def backend(scene: Scene) -> Backend:
    return scene.backend


@pytest.fixture
def job(backend: Backend) -> Job:
    """A queued job of the project."""
    return backend.start(JobRequest(PETS))[0]


def test_the_version_is_untrained_before_the_first_and_then_the_current_one(
    scene: Scene, backend: Backend
):
    assert backend.version(PETS) == UNTRAINED
    scene.publish()
    assert backend.version(PETS) == UNTRAINED
    scene.versions.activate(PETS, OLD)
    assert backend.version(PETS) == OLD


def test_versions_are_listed_newest_first(scene: Scene, backend: Backend):
    assert list(backend.cards(PETS)) == []
    published = [scene.publish(), scene.publish()]
    assert [card.name for card in backend.cards(PETS)] == published[::-1]


def test_the_status_has_the_project_the_version_and_the_live_job(
    scene: Scene, backend: Backend, job: Job
):
    scene.versions.activate(PETS, scene.publish())
    status = backend.status(PETS)
    assert (status.project.id, status.reasons, status.job) == (PETS, (), job)
    assert status.version
    assert status.version.name == OLD
    assert status.unlabeled > 0


def test_the_status_has_every_reason_against_a_training(scene: Scene, backend: Backend):
    scene.remove_labels()
    assert backend.status(PETS).reasons


def test_a_start_queues_a_job_and_the_next_start_joins_it(backend: Backend):
    job, is_new = backend.start(JobRequest(PETS))
    assert (job.state, job.request, is_new) == (JobState.QUEUED, JobRequest(PETS), True)
    assert backend.start(JobRequest(PETS, groups=7)) == (job, False)


def test_a_start_without_enough_labels_is_refused_and_queues_nothing(
    scene: Scene, backend: Backend
):
    scene.remove_labels()
    with pytest.raises(Refused) as refused:
        backend.start(JobRequest(PETS))
    assert list(refused.value.reasons) == list(backend.status(PETS).reasons)
    assert backend.jobs.live(PETS) is None


def test_a_start_that_leaves_the_counting_to_the_job_is_not_refused(scene: Scene, backend: Backend):
    scene.remove_labels()
    assert backend.start(JobRequest(PETS), count=False)[1]


def test_a_project_that_does_not_exist_is_not_found(backend: Backend):
    for call in (backend.status, lambda project: backend.start(JobRequest(project))):
        with pytest.raises(NotFound):
            call(UNKNOWN)
    assert list(backend.jobs.history()) == []


def test_without_a_version_every_task_is_answered_with_an_empty_list(backend: Backend):
    assert list(backend.predict(PETS, CHOICES, [TASK, TASK])) == [[], []]


def test_tasks_are_answered_in_order_with_the_current_version(scene: Scene, backend: Backend):
    scene.publish()
    scene.versions.activate(PETS, scene.publish())
    scene.predict(NEW)
    answers: Sequence[Any] = backend.predict(PETS, CHOICES, [NO_IMAGE, TASK])
    assert answers[0] == []
    assert answers[1]["model_version"] == NEW


def test_a_job_that_accepted_nothing_cannot_be_undone(backend: Backend, job: Job):
    backend.jobs.stop(job.id)
    assert backend.accepted(job) == 0
    for name in (job.id, JobId("job-that-never-was")):
        with pytest.raises(NotFound):
            backend.undo(name)


def test_what_a_job_accepted_is_undone_by_one_job(scene: Scene, backend: Backend, job: Job):
    backend.jobs.stop(job.id)
    scene.accept(job.id)
    assert backend.accepted(job) == 2
    undoing = backend.undo(job.id)
    assert (undoing.request.mode, undoing.request.undoes) == (Mode.UNDO, job.id)
    assert backend.undo(job.id).id == undoing.id
    assert backend.jobs.live(PETS) == undoing


def test_a_live_job_is_not_undone(scene: Scene, backend: Backend, job: Job):
    scene.accept(job.id)
    with pytest.raises(Refused, match=f"{job.id} is queued"):
        backend.undo(job.id)


def test_changed_annotations_are_added_up(scene: Scene, backend: Backend):
    backend.changed(PETS, 2)
    backend.changed(PETS, 3)
    assert scene.counted() == 5


def test_each_job_has_a_report_folder_of_its_own(backend: Backend, job: Job):
    other = replace(job, id=JobId("job-2"))
    assert backend.report_folder(job) != backend.report_folder(other)
    assert backend.report_folder(job).name == job.id


def test_health_says_whether_redis_answers(backend: Backend):
    assert isinstance(backend.health()["redis"], bool)
