import pytest

from backend.domain.answers import Answer, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.models.detection.training_plan import FREEZE_BELOW, SIZES, image_size, plan


def answers(count: int, side: float = 0.2) -> list[Answer]:
    return [Regions((Region(Box(0.1, 0.1, 0.1 + side, 0.1 + side), Label("a")),))] * count


def chosen(count: int, **changes: object):
    options = {"on_gpu": False, "minutes": 30.0, "continued": False}
    return plan(answers(count), **{**options, **changes})


@pytest.mark.parametrize("fewer, more", [(5, 60), (60, 300), (300, 5000)])
def test_more_images_never_mean_smaller_batches_or_more_epochs(fewer: int, more: int):
    assert chosen(fewer).batch <= chosen(more).batch
    assert chosen(fewer).epochs >= chosen(more).epochs


def test_a_batch_is_never_larger_than_what_there_is():
    assert chosen(2).batch == 2


def test_going_on_takes_half_the_epochs_at_half_the_rate():
    fresh, on = chosen(20), chosen(20, continued=True)
    assert on.epochs == fresh.epochs // 2
    assert on.learning_rate == fresh.learning_rate / 2


def test_the_backbone_is_frozen_only_in_a_hurry_on_a_cpu():
    assert chosen(20, minutes=FREEZE_BELOW / 2).frozen == 1
    assert chosen(20, minutes=FREEZE_BELOW / 2, on_gpu=True).frozen == 0
    assert chosen(20).frozen == 0


@pytest.mark.parametrize("side, size", [(0.5, 320), (0.0375, 320), (0.03, 480), (0.01, 640)])
def test_small_boxes_ask_for_large_images(side: float, size: int):
    assert image_size(answers(10, side)) == size


def test_a_gpu_affords_the_largest_images():
    assert chosen(20, on_gpu=True).image_size == SIZES[-1]


def test_without_a_box_small_images_will_do():
    assert image_size([Regions(())]) == SIZES[0]


def test_there_are_about_twelve_validations():
    assert 8 <= chosen(20).epochs / chosen(20).validations <= 16
    assert chosen(20).patience > chosen(20).validations
