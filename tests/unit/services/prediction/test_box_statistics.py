"""How bright and sharp the boxes of images are."""

import numpy as np
import pytest
from PIL import Image

from backend.domain.answers import Choices, ImageRef, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label, TaskId
from backend.models.images.box_statistics import brightness_and_sharpness
from backend.policies.hard_examples.coefficient import Weighting
from backend.services.prediction.box_statistics import BoxStatistics
from backend.services.prediction.hard_examples import HardExamples
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.predictions import CELLS, ScriptedModel, dataset, predicted
from tests.fakes.steps import quiet

CAT = Label("cat")
DARK, LIGHT = Box(0, 0, 0.5, 1), Box(0.5, 0, 1, 1)


@pytest.fixture
def half_light(tmp_path):
    """Black on the left, noise about a light gray on the right."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:, 40:] = np.random.default_rng(0).integers(100, 255, (60, 40, 1), dtype=np.uint8)
    path = tmp_path / "half.png"
    Image.fromarray(pixels).save(path)
    return path


def boxes(*given):
    return Regions(tuple(Region(box, CAT, 0.9) for box in given))


def refs(count):
    return [ImageRef(TaskId(number), "") for number in range(1, count + 1)]


def test_a_crop_is_measured_without_what_is_around_it(half_light):
    dark, blunt = brightness_and_sharpness(half_light, [DARK])
    light, sharp = brightness_and_sharpness(half_light, [LIGHT])
    assert (dark, blunt) == (0, 0)
    assert light == pytest.approx(0.69, abs=0.03)
    assert sharp > 100


def test_several_boxes_are_averaged_and_a_hair_is_a_box_too(half_light):
    both, _ = brightness_and_sharpness(half_light, [DARK, LIGHT])
    assert both == pytest.approx(brightness_and_sharpness(half_light, [LIGHT])[0] / 2, abs=0.01)
    hair = Box(0.7, 0.1, 0.7001, 0.9)
    assert brightness_and_sharpness(half_light, [hair])[0] > 0.3


def test_only_the_first_few_are_opened():
    known = BoxStatistics(FakeFeatureExtractor(), 2).measure(
        refs(4), [boxes(DARK)] * 4, np.array([0.1, 0.9, 0.2, 0.8]), quiet
    )
    assert np.isfinite(known[:, 0]).tolist() == [False, True, False, True]
    assert known[1].tolist() == pytest.approx([0.002, np.log(2)])


def test_without_boxes_or_without_the_file_nothing_is_known():
    extractor = FakeFeatureExtractor(bad={TaskId(2): "404"})
    answers = [boxes(), boxes(DARK), Choices((CAT,)), boxes(DARK, LIGHT)]
    known = BoxStatistics(extractor, 10).measure(refs(4), answers, np.ones(4), quiet)
    assert np.isfinite(known[:, 1]).tolist() == [False, False, False, True]


def test_unusually_dark_boxes_make_an_image_hard_and_say_so():
    class Dim(FakeFeatureExtractor):
        def box_statistics(self, ref, boxes):
            return (0.01 if ref.task == 102 else 0.5), 100.0

    people = dataset(CELLS, range(1, 31), boxes(DARK))
    sensitive = Weighting(threshold=0.01)
    hard = HardExamples(box_statistics=BoxStatistics(Dim(), 50), weighting=sensitive).find(
        people, predicted(CELLS, boxes(DARK)), {CELLS.name: ScriptedModel()}, {}, quiet
    )
    reasons = dict(hard[TaskId(102)].reasons)
    assert reasons[16] == "darker boxes than the labeled images"
