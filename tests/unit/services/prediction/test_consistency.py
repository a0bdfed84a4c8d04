"""Which images are looked at again, altered, and what becomes of the answers."""

from dataclasses import replace

import pytest

from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import TaskId
from backend.domain.versions import AugmentationTrial
from backend.services.prediction.consistency import (
    BLURRED,
    CROPPED,
    MIRRORED,
    OF_BOXES,
    OF_IMAGES,
    ConsistencyCheck,
)
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.predictions import CAT, CELLS, DOG, PETS, ScriptedModel, predicted, trained
from tests.fakes.scratch import temporary
from tests.fakes.steps import quiet

USED = [AugmentationTrial(number, 20, 0, used=True) for number in OF_IMAGES]


@pytest.fixture
def extractor():
    return FakeFeatureExtractor()


def test_only_the_least_certain_are_augmented_and_only_their_rows_change(extractor):
    model = ScriptedModel({102: Choices((DOG,))})
    before = predicted(PETS, Choices((CAT,)))

    views = ConsistencyCheck(extractor, 2, temporary).views(PETS, model, before, USED, quiet)

    assert set(views) == {BLURRED, MIRRORED, CROPPED}
    seen = {tasks for _, tasks in extractor.augmented if tasks}
    assert seen == {(102, 139)}
    changed = [
        row for row, answer in enumerate(views[MIRRORED].answers) if answer == Choices((DOG,))
    ]
    assert changed == [2]
    assert views[MIRRORED].probabilities[[1, 2, 39]].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert before.predictions[PETS.name].answers[2] == Choices((CAT,)), (
        "the predictions stay as they were"
    )


def test_a_project_of_few_images_has_few_of_them_viewed(extractor):
    ConsistencyCheck(extractor, 300, temporary).views(
        PETS, ScriptedModel(), predicted(PETS, Choices((CAT,)), 8), USED, quiet
    )
    assert {len(tasks) for _, tasks in extractor.augmented if tasks} == {2}


def test_none_at_all_is_viewed_where_the_settings_say_so(extractor):
    assert not ConsistencyCheck(extractor, 0, temporary).views(
        PETS, ScriptedModel(), predicted(PETS, Choices((CAT,))), USED, quiet
    )
    assert extractor.augmented == []


def test_an_augmentation_that_was_not_found_harmless_is_left_out(extractor):
    trials = [replace(trial, used=trial.number == BLURRED) for trial in USED]
    views = ConsistencyCheck(extractor, 10, temporary).views(
        PETS, ScriptedModel(), predicted(PETS, Choices((CAT,))), trials, quiet
    )
    assert set(views) == {BLURRED}


def test_augmentations_are_tried_on_images_that_the_model_never_saw(extractor):
    # given a model that calls every fourth held-out cat a dog in the mirror
    class Mirrored(ScriptedModel):
        def predict(self, images, fetch, progress):
            mirrored = extractor.augmented and extractor.augmented[-1] == (MIRRORED, images.tasks)
            self.answers_of = dict.fromkeys(images.tasks[::4], Choices((DOG,))) if mirrored else {}
            return super().predict(images, fetch, progress)

    trials = ConsistencyCheck(extractor, 10, temporary).trials(
        trained(PETS, Mirrored(), Choices((CAT,)), held_out=range(1, 21)), quiet
    )
    assert {tasks for _, tasks in extractor.augmented} == {tuple(range(1, 21))}
    assert trials[PETS.name] == (
        AugmentationTrial(BLURRED, 20, 0, used=True),
        AugmentationTrial(MIRRORED, 20, 5, used=False),
        AugmentationTrial(CROPPED, 20, 0, used=True),
    )


def test_boxes_are_tried_on_few_images_and_not_cropped(extractor):
    boxes = Regions((Region(Box(0.3, 0.2, 0.7, 0.5), CAT, 0.9),))
    trials = ConsistencyCheck(extractor, 10, temporary).trials(
        trained(CELLS, ScriptedModel(otherwise=boxes), boxes, held_out=range(1, 101)), quiet
    )
    assert trials[CELLS.name] == tuple(
        AugmentationTrial(number, 12, 0, used=True) for number in OF_BOXES
    )


def test_nothing_is_tried_without_held_out_images_or_where_none_is_to_be_viewed(extractor):
    check = ConsistencyCheck(extractor, 10, temporary)
    model, answer = ScriptedModel(), Choices((CAT,))
    assert check.trials(trained(PETS, model, answer, held_out=()), quiet) == {PETS.name: ()}
    off = ConsistencyCheck(extractor, 0, temporary)
    assert off.trials(trained(PETS, model, answer, held_out=range(1, 21)), quiet) == {}


def test_a_model_that_reads_files_is_given_altered_ones(extractor):
    model = ScriptedModel()
    ConsistencyCheck(extractor, 1, temporary).views(
        PETS, model, predicted(PETS, Choices((CAT,))), USED, quiet
    )
    assert model.files == ["19-102.png", "20-102.png", "21-102.png"]


def test_boxes_in_a_mirror_are_mapped_back(extractor):
    plain = Regions((Region(Box(0.1, 0.2, 0.4, 0.5), CAT, 0.9),))
    mirrored = Regions((Region(Box(0.6, 0.2, 0.9, 0.5), CAT, 0.8),))
    model = ScriptedModel(otherwise=mirrored)

    views = ConsistencyCheck(extractor, 10, temporary).views(
        CELLS, model, predicted(CELLS, plain), USED[:2], quiet
    )

    assert set(views) == {BLURRED, MIRRORED}
    (back,) = views[MIRRORED].answers[2].regions
    assert (back.box.left, back.box.right) == pytest.approx((0.1, 0.4))
    (same,) = views[BLURRED].answers[2].regions
    assert same == mirrored.regions[0]
    assert extractor.augmented == [], "nothing is embedded for a detector"


def test_an_image_that_went_away_costs_its_alteration_only(extractor):
    extractor.bad = {TaskId(102): "404"}
    before = predicted(PETS, Choices((CAT,)))
    assert (
        ConsistencyCheck(extractor, 1, temporary).views(PETS, ScriptedModel(), before, USED, quiet)
        == {}
    )


def test_augmentations_are_not_used_where_a_held_out_image_went_away(extractor):
    extractor.bad = {TaskId(3): "404"}
    check = ConsistencyCheck(extractor, 10, temporary)
    people = trained(PETS, ScriptedModel(), Choices((CAT,)), held_out=range(1, 21))
    assert check.trials(people, quiet) == {PETS.name: ()}
