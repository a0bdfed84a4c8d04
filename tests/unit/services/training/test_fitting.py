"""Training goes on without images that disappeared after they were read."""

from dataclasses import dataclass, field

import pytest

from backend.domain.errors import UnreadableImage
from backend.services.training.fitting import fit
from tests.fakes.detection_training_sets import image_batch, training_set
from tests.fakes.models import ParityFamily
from tests.fakes.world import World


@dataclass
class ReadingFamily(ParityFamily):
    """Reads every image file, as detectors and fine-tuning do."""

    trained_on: list[tuple[int, ...]] = field(default_factory=list)

    def fit(self, training_set):
        self.trained_on.append(training_set.train.tasks)
        for images in (training_set.train, training_set.held_out, training_set.unlabeled):
            for ref in images.refs:
                training_set.fetch(ref)
        return super().fit(training_set)


def without(*gone):
    """Fetch every image but those of these tasks."""

    def fetch(ref):
        if ref.task in gone:
            raise UnreadableImage("404")
        return ref.uri

    return fetch


def test_a_lost_image_is_left_out_and_named(tmp_path):
    family = ReadingFamily()
    fitted = fit(family, training_set(tmp_path, fetch=without(3)))
    assert family.trained_on == [tuple(range(1, 11)), (1, 2, *range(4, 11))]
    assert [(slot.task, slot.reason) for slot in fitted.unreadable] == [(3, "404")]
    assert fitted.training_set.train.tasks == family.trained_on[-1]
    assert len(fitted.training_set.train_answers) == 9


def test_a_lost_held_out_image_is_left_out_of_the_evaluation(tmp_path):
    fitted = fit(ReadingFamily(), training_set(tmp_path, fetch=without(1004)))
    assert [slot.task for slot in fitted.unreadable] == [1004]
    assert 1004 not in fitted.training_set.held_out.tasks
    assert len(fitted.training_set.held_out_answers) == 9


def test_lost_unlabeled_images_are_left_to_the_prediction_to_report(tmp_path):
    whole = training_set(tmp_path)
    unlabeled = image_batch([*whole.train.refs[:4]])
    family = ReadingFamily()
    labeled_elsewhere = training_set(
        tmp_path / "other", unlabeled=unlabeled, fetch=_gone(unlabeled.refs[1].uri)
    )
    fitted = fit(family, labeled_elsewhere)
    assert fitted.unreadable == ()
    assert len(fitted.training_set.unlabeled) == 3


def _gone(uri):
    def fetch(ref):
        if ref.uri == uri:
            raise UnreadableImage("404")
        return ref.uri

    return fetch


def test_a_training_without_too_many_images_fails(tmp_path):
    with pytest.raises(UnreadableImage, match="404"):
        fit(ReadingFamily(), training_set(tmp_path, fetch=without(3, 4)))


def test_an_error_of_no_image_in_particular_is_raised(tmp_path):
    class Broken(ParityFamily):
        def fit(self, training_set):
            raise UnreadableImage("cannot be decoded")

    with pytest.raises(UnreadableImage, match="cannot be decoded"):
        fit(Broken(), training_set(tmp_path, fetch=without()))


def test_the_report_names_an_image_that_was_lost_during_the_training(tmp_path):
    world = World(tmp_path)

    lost = []

    class LosingOne(ParityFamily):
        def fit(self, training_set):
            if not lost:
                lost.append(training_set.train.tasks[0])
                world.extractor.bad[lost[0]] = "404"
            for ref in training_set.train.refs:
                training_set.fetch(ref)
            return super().fit(training_set)

    world.families |= dict.fromkeys(world.families, LosingOne())
    report = world.run()
    assert {"task": lost[0], "reason": "404"} in report["unreadable"]
    assert report["version"]
