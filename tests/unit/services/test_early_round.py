"""What a round does while Label Studio lists the unlabeled tasks."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np
import pytest

from backend.domain.answers import ImageRef
from backend.domain.audits import OpenAudit
from backend.domain.errors import BadInput, Stopped
from backend.domain.ids import AuditId, ProjectId, TaskId
from backend.domain.jobs import Algorithm, Mode
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle
from backend.domain.versions import Ledger
from backend.ports.model_family import TrainingSet
from backend.services import suggestions
from backend.services.prediction.consistency import OF_IMAGES
from backend.services.prediction.hard_examples import HardExamples
from backend.services.project_tasks import LONG_LIST
from backend.services.resuming import parts
from backend.services.training.early_training import MOST_MISSING
from backend.settings import Settings
from backend.stores.listed_tasks import ListedTaskFiles
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
    late.extractor.not_embedded = MOST_MISSING + 1
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
    world.extractor.not_embedded = MOST_MISSING + 1
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


class FoundEarly:
    """Notes of each hard examples and picks whether they were found before all tasks were listed.

    `both` is set when both are.
    """

    def __init__(self, monkeypatch):
        self.both = Event()
        self.early: list[tuple[str, bool]] = []
        find, choose = HardExamples.find, suggestions.choose

        def finding(*args):
            try:
                return find(*args)
            finally:
                self._note("hard")

        def choosing(*args):
            self._note("picks")
            return choose(*args)

        monkeypatch.setattr(HardExamples, "find", finding)
        monkeypatch.setattr(suggestions, "choose", choosing)

    def _note(self, what):
        self.early.append((what, threading.current_thread().name.startswith("early-round")))
        if {name for name, _ in self.early} == {"hard", "picks"}:
            self.both.set()


@pytest.fixture
def found(monkeypatch):
    return FoundEarly(monkeypatch)


def _second_round(world, found):
    """Run a first round, label an image, and run a second one whose list waits for both.

    If that has nothing to guess by, the list waits for the model alone.
    """
    world.run()
    world.label([TaskId(LABELED + 1)])
    found.early.clear()
    found.both.clear()
    world.signaling.learned.clear()
    guessed = ListedTaskFiles(world.folder).last(PROJECT)
    world.label_studio.learned = found.both if guessed else world.signaling.learned
    report = world.run()
    world.label_studio.learned = None
    return report


@pytest.fixture
def larger(tmp_path):
    """A world whose second round still has a long list."""
    return Early(tmp_path, LABELED + LONG_LIST + 10)


def test_a_later_round_guesses_its_tasks_and_finds_hard_examples_and_picks_early(larger, found):
    report = _second_round(larger, found)
    assert larger.label_studio.waited
    assert found.early == [("hard", True), ("picks", True)]
    assert report["predicted"] == LONG_LIST + 9
    assert report["hardest"]


class Rounding(ParityFamily):
    """Its models say something else of an image among others, as products of matrices may."""

    def fit(self, training_set):
        return Rounded(super().fit(training_set).labels)

    def load(self, folder, control):
        return Rounded(super().load(folder, control).labels)


class Rounded(ParityModel):
    def predict(self, images, fetch, progress):
        made = super().predict(images, fetch, progress)
        return replace(made, confidence=made.confidence - np.float32(len(images) / 1e5))


def test_a_guess_is_predicted_in_the_parts_of_the_job(larger, found, monkeypatch):
    monkeypatch.setattr(parts, "PART", 400)
    larger.families.update(dict.fromkeys(larger.families, Rounding()))
    larger.run()
    larger.label([TaskId(LABELED + 1)])
    found.early.clear()
    found.both.clear()
    larger.label_studio.learned = found.both
    larger.run()
    assert found.early == [("hard", True), ("picks", True)]


def test_what_was_guessed_is_loaded_once(larger, found):
    larger.run()
    larger.label([TaskId(LABELED + 1)])
    larger.extractor.extracted.clear()
    larger.run()
    assert larger.extractor.extracted == ["fake"]
    assert larger.extractor.looked_ahead == []


def test_a_guess_changes_nothing_but_the_time(tmp_path, found):
    guessing, waiting = (Early(tmp_path / name, LABELED + LONG_LIST + 10) for name in "ab")
    one = _second_round(guessing, found)
    waiting.run()
    ListedTaskFiles(waiting.folder).remember(PROJECT, ())
    waiting.label([TaskId(LABELED + 1)])
    found.early.clear()
    other = waiting.run()
    assert found.early
    assert not any(early for _, early in found.early)
    assert one["hardest"] == other["hardest"]
    assert one["predicted"] == other["predicted"]
    assert _answers(guessing) == _answers(waiting)
    assert guessing.label_studio.lists == waiting.label_studio.lists
    assert guessing.label_studio.lists[TabTitle.NEXT_PICKS]


def _another_image(world):
    """Let a task that nobody labeled show another image."""
    unlabeled = world.label_studio.unlabeled

    def changed(project, schema):
        for ref in unlabeled(project, schema):
            is_changed = ref.task == LABELED + 7
            yield replace(ref, uri="/data/other.jpg") if is_changed else ref

    world.label_studio.unlabeled = changed


def _another_task(world):
    """Delete a task that nobody labeled, and import one."""
    del world.label_studio.people[TaskId(LABELED + 7)]
    world.label_studio.people[TaskId(9000)] = None


@pytest.mark.parametrize("change", [_another_image, _another_task])
def test_a_wrong_guess_is_found_out_and_the_next_one_is_right(larger, found, change):
    larger.run()
    larger.label([TaskId(LABELED + 1)])
    change(larger)
    found.early.clear()
    report = larger.run()
    listed = [ref.task for ref in larger.label_studio.unlabeled(PROJECT, None)]
    assert report["predicted"] == len(listed) == LONG_LIST + 9
    assert ("hard", False) in found.early
    assert ("picks", False) in found.early
    assert {task for task, _ in larger.label_studio.predictions} >= set(listed)
    found.early.clear()
    _second_round(larger, found)
    assert found.early == [("hard", True), ("picks", True)]


def test_an_image_that_cannot_be_read_spoils_no_guess(larger, found):
    larger.extractor.bad = {TaskId(LABELED + 5): "404"}
    report = _second_round(larger, found)
    assert found.early == [("hard", True), ("picks", True)]
    assert [one["task"] for one in report["unreadable"]] == [LABELED + 5]
    assert report["predicted"] == LONG_LIST + 8


def test_a_guess_of_images_that_are_not_embedded_waits(larger, found):
    larger.run()
    larger.extractor.not_embedded = MOST_MISSING + 1
    found.early.clear()
    assert larger.run()["predicted"] == LONG_LIST + 10
    assert found.early
    assert not any(early for _, early in found.early)


def test_a_guess_of_another_number_of_tasks_is_none(larger, found):
    larger.run()
    larger.label_studio.people[TaskId(9000)] = None
    found.early.clear()
    assert larger.run()["predicted"] == LONG_LIST + 11
    assert found.early
    assert not any(early for _, early in found.early)


@pytest.mark.parametrize(
    "changes",
    [
        {"accept": True, "max_error": 0.1},
        {"task_ids": (TaskId(LABELED + 2), TaskId(LABELED + 3))},
        {"algorithm": Algorithm.PRECISE},
    ],
)
def test_jobs_on_other_tasks_or_with_audits_guess_nothing(larger, found, changes):
    larger.run()
    found.early.clear()
    larger.run(**changes)
    assert found.early
    assert not any(early for _, early in found.early)


@pytest.mark.parametrize("changes", [{"task_ids": (TaskId(LABELED + 2),)}, {"skipped": True}])
def test_a_job_on_other_tasks_changes_no_guess(larger, changes):
    larger.run()
    larger.run(**changes)
    assert len(ListedTaskFiles(larger.folder).last(PROJECT)) == LONG_LIST + 10


def test_hard_examples_that_failed_early_are_found_again(larger, found, monkeypatch):
    larger.run()
    larger.label([TaskId(LABELED + 1)])
    find = HardExamples.find

    def fail_early(*args):
        if threading.current_thread().name.startswith("early-round"):
            raise BadInput("no")
        return find(*args)

    monkeypatch.setattr(HardExamples, "find", fail_early)
    assert larger.run()["hardest"]


def _opened(world, *tasks):
    """Return the ledger with an open audit of these tasks."""
    version = world.versions.current(PROJECT).name
    return Ledger(open_audit=OpenAudit(AuditId("audit-1"), version, frozenset(tasks)))


def test_images_of_an_open_audit_are_not_predicted_by_a_guess(larger, found):
    larger.run()
    larger.ledgers.save(PROJECT, _opened(larger, TaskId(LABELED + 3), TaskId(LABELED + 5)))
    found.early.clear()
    found.both.clear()
    larger.label_studio.learned = found.both
    assert larger.run()["predicted"] == LONG_LIST + 8
    assert found.early == [("hard", True), ("picks", True)]


def test_an_audit_opened_meanwhile_makes_the_guess_wrong(larger, found):
    larger.run()
    opened = _opened(larger, TaskId(LABELED + 3), TaskId(LABELED + 5))
    larger.label_studio.learned = found.both
    found.early.clear()
    found.both.clear()

    def open_audit(step, done, of, detail=""):
        if step is Step.LIST and found.both.is_set():
            larger.ledgers.save(PROJECT, opened)

    report = larger.report(larger.active_learning, larger.job(), open_audit)
    assert report["predicted"] == LONG_LIST + 8


def test_a_stop_ends_what_depends_on_the_guess(larger, monkeypatch):
    larger.run()
    larger.label([TaskId(LABELED + 1)])
    begun, ended = Event(), Event()

    def endless(self, dataset, predicted, models, trials, progress):
        begun.set()
        try:
            while True:
                progress(Step.PREDICT, 1, 3)
                ended.wait(0.001)
        finally:
            ended.set()

    monkeypatch.setattr(HardExamples, "find", endless)
    larger.label_studio.learned = begun

    def stop(step, done, of, detail=""):
        if (step, done, of) == (Step.PREDICT, 1, 3):
            raise Stopped

    with pytest.raises(Stopped):
        larger.report(larger.active_learning, larger.job(), stop)
    assert ended.wait(SECONDS)


def _answers(world):
    return {task: one.answers for (task, _), one in world.label_studio.predictions.items()}
