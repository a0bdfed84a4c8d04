"""Which images are looked at again, altered, and what becomes of the answers."""

import pytest

from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import TaskId
from backend.services.prediction.consistency import BLURRED, CROPPED, MIRRORED, ConsistencyCheck
from tests.fakes.folders import temporary
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.predictions import CAT, CELLS, DOG, PETS, ScriptedModel, dataset, predicted
from tests.fakes.steps import quiet


@pytest.fixture
def extractor():
    return FakeFeatureExtractor()


def test_only_the_least_certain_are_augmented_and_only_their_rows_change(extractor):
    model = ScriptedModel({102: Choices((DOG,))})
    before = predicted(PETS, Choices((CAT,)))

    views = ConsistencyCheck(extractor, 2, temporary).views(
        PETS, model, dataset(PETS), before, quiet
    )

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
        PETS, ScriptedModel(), dataset(PETS), predicted(PETS, Choices((CAT,)), 8), quiet
    )
    assert {len(tasks) for _, tasks in extractor.augmented if tasks} == {2}


def test_none_at_all_is_viewed_where_the_settings_say_so(extractor):
    assert not ConsistencyCheck(extractor, 0, temporary).views(
        PETS, ScriptedModel(), dataset(PETS), predicted(PETS, Choices((CAT,))), quiet
    )
    assert extractor.augmented == []


def test_an_alteration_that_changes_what_labeled_images_mean_is_left_out(extractor):
    people = dataset(PETS, labeled=range(1, 31), answer=Choices((DOG,)))
    views = ConsistencyCheck(extractor, 10, temporary).views(
        PETS, ScriptedModel(), people, predicted(PETS, Choices((CAT,))), quiet
    )
    assert views == {}


def test_a_model_that_reads_files_is_given_altered_ones(extractor):
    model = ScriptedModel()
    ConsistencyCheck(extractor, 1, temporary).views(
        PETS, model, dataset(PETS), predicted(PETS, Choices((CAT,))), quiet
    )
    assert model.files == ["19-102.png", "20-102.png", "21-102.png"]


def test_boxes_in_a_mirror_are_mapped_back(extractor):
    plain = Regions((Region(Box(0.1, 0.2, 0.4, 0.5), CAT, 0.9),))
    mirrored = Regions((Region(Box(0.6, 0.2, 0.9, 0.5), CAT, 0.8),))
    model = ScriptedModel(otherwise=mirrored)

    views = ConsistencyCheck(extractor, 10, temporary).views(
        CELLS, model, dataset(CELLS), predicted(CELLS, plain), quiet
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
        ConsistencyCheck(extractor, 1, temporary).views(
            PETS, ScriptedModel(), dataset(PETS), before, quiet
        )
        == {}
    )
