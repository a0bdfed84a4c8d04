"""Training while Label Studio lists the unlabeled tasks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

import pytest

from backend.domain.answers import ImageRef
from backend.domain.errors import BadInput, Stopped
from backend.domain.ids import ProjectId, TaskId
from backend.domain.jobs import Algorithm, Mode
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.ports.model_family import TrainingSet
from backend.services.prediction.consistency import OF_IMAGES
from backend.services.project_tasks import LONG_LIST
from backend.settings import Settings
from tests.fakes.label_studio import FakeLabelStudio
from tests.fakes.models import ParityFamily, ParityModel
from tests.fakes.world import PROJECT, World

SECONDS = 30
"""How long one thread waits for the other."""

LABELED = 12


@dataclass
class SignalingFamily(ParityFamily):
    """Says when it has learned; the first `failing` trainings fail."""

    learned: Event = field(default_factory=Event)
    failing: int = 0
    attempts: int = 0

    def fit(self, training_set: TrainingSet) -> ParityModel:
        self.attempts += 1
        try:
            if self.attempts <= self.failing:
                raise BadInput("nothing can be learned of this")
            return super().fit(training_set)
        finally:
            self.learned.set()


class SlowLabelStudio(FakeLabelStudio):
    """Lists no unlabeled task before `learned` is set, if it waits at all."""

    learned: Event | None = None
    waited = False

    def unlabeled(self, project: ProjectId, schema: LabelSchema) -> Iterator[ImageRef]:
        if self.learned:
            self.waited = self.learned.wait(SECONDS)
        yield from super().unlabeled(project, schema)


class Early(World):
    """A world of so many unlabeled images that a training begins before they are listed."""

    label_studio: SlowLabelStudio

    def __init__(self, folder, images=LABELED + LONG_LIST):
        super().__init__(folder, images, label_studio=SlowLabelStudio)
        self.signaling = SignalingFamily()
        self.families.update(dict.fromkeys(self.families, self.signaling))


@pytest.fixture
def world(tmp_path):
    return Early(tmp_path)


def test_the_model_is_trained_before_the_unlabeled_tasks_are_listed(world):
    world.label_studio.learned = world.signaling.learned
    report = world.run()
    assert world.label_studio.waited
    assert report["predicted"] == LONG_LIST
    assert world.signaling.attempts == 1


def test_each_round_trains_once_and_starts_from_the_version_before(world):
    first = world.run()["version"]
    world.label([TaskId(LABELED + 1)])
    for task in range(5000, 5002):
        world.label_studio.people[TaskId(task)] = None
    second = world.run()["version"]
    assert world.signaling.attempts == 2
    assert world.signaling.training_sets[1].previous == world.versions.folder(PROJECT, first, "c")
    assert world.versions.get(PROJECT, second).parent == first


def test_augmentations_are_tried_once_and_before_the_unlabeled_tasks_are_listed(world, monkeypatch):
    settings = Settings(data_dir=world.folder, augmented_images=20)
    work = world.use_cases(settings=settings).jobs()[Mode.ACTIVE_LEARNING]
    extract, tried = world.extractor.extract_augmented, Event()

    def extract_augmented(refs, augmentation, progress, backbone=""):
        found = extract(refs, augmentation, progress, backbone)
        if augmentation == OF_IMAGES[-1]:
            tried.set()
        return found

    monkeypatch.setattr(world.extractor, "extract_augmented", extract_augmented)
    world.label_studio.learned = tried
    world.report(work, world.job())
    assert world.label_studio.waited
    held_out = world.signaling.training_sets[0].held_out.tasks
    of_held_out = [number for number, tasks in world.extractor.augmented if tasks == held_out]
    assert of_held_out == list(OF_IMAGES)


def test_what_was_learned_does_not_depend_on_when(tmp_path):
    early, late = Early(tmp_path / "early"), Early(tmp_path / "late")
    late.extractor.not_embedded = 1
    assert early.run()["predicted"] == late.run()["predicted"]
    one, other = early.signaling.training_sets[0], late.signaling.training_sets[0]
    assert (one.train.refs, one.held_out.refs) == (other.train.refs, other.held_out.refs)
    assert (one.train_answers, one.seed) == (other.train_answers, other.seed)
    assert _answers(early) == _answers(late)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": Algorithm.PRECISE},
        {"accept": True, "labels_are_random": True, "max_error": 0.1},
    ],
)
def test_a_training_that_needs_more_than_the_labels_waits_for_the_list(world, changes):
    world.run(**changes)
    assert len(world.signaling.training_sets[0].unlabeled) >= LONG_LIST


def test_a_short_list_is_not_worth_a_second_thread(tmp_path):
    world = Early(tmp_path, LABELED + LONG_LIST - 1)
    world.run()
    assert len(world.signaling.training_sets[0].unlabeled) == LONG_LIST - 1


def test_images_that_are_not_embedded_yet_wait_for_their_turn(world):
    world.extractor.not_embedded = 1
    world.run()
    assert len(world.signaling.training_sets[0].unlabeled) == LONG_LIST


def test_other_labels_than_were_learned_are_learned_anew(world):
    world.label_studio.learned = world.signaling.learned

    def lose_an_image(step, done, of, detail=""):
        if step is Step.EMBED and world.signaling.learned.is_set():
            world.extractor.bad = {TaskId(1): "404"}

    report = world.report(world.active_learning, world.job(), lose_an_image)
    assert world.signaling.attempts == 2
    assert [one["task"] for one in report["unreadable"]] == [1]
    learned = world.signaling.training_sets[-1]
    assert 1 not in {*learned.train.tasks, *learned.held_out.tasks}


def test_a_training_that_failed_early_is_tried_again(world):
    world.signaling.failing = 1
    assert world.run()["predicted"] == LONG_LIST
    assert world.signaling.attempts == 2


def test_a_training_that_fails_again_tells_why(world):
    world.signaling.failing = 2
    with pytest.raises(BadInput, match="nothing can be learned"):
        world.run()


def test_a_stop_ends_a_training_that_is_under_way(world):
    begun, ended = Event(), Event()

    class Endless(ParityFamily):
        def fit(self, training_set):
            begun.set()
            try:
                while True:
                    training_set.progress(Step.TRAIN, 1, 100, "fold 1 of 5")
                    ended.wait(0.001)
            finally:
                ended.set()

    world.families.update(dict.fromkeys(world.families, Endless()))
    world.label_studio.learned = begun
    told = []

    def stop(step, done, of, detail=""):
        told.append((step, detail))
        if (step, detail) == (Step.TRAIN, "fold 1 of 5"):
            raise Stopped

    with pytest.raises(Stopped):
        world.report(world.active_learning, world.job(), stop)
    assert ended.wait(SECONDS)
    assert told[-1] == (Step.TRAIN, "fold 1 of 5")


def _answers(world):
    return {task: one.answers for (task, _), one in world.label_studio.predictions.items()}
