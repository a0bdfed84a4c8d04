import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.answers import Region
from backend.domain.geometry import Box
from backend.models.detection.average_precision import (
    COCO_LEVELS,
    average_precisions,
    mean_average_precision,
)
from backend.models.detection.comparison import compare
from tests.fakes.boxes import CAT, DOG, answer, answers, region, slot


def average_precision(found, truths, label, iou) -> float:
    return average_precisions(compare(found, truths), [label], [iou])[0, 0]


def test_average_precision_of_a_hand_worked_ranking():
    # Ranked right, wrong, right for two true boxes: precision 1 up to recall 1/2 (51 of the 101
    # points), then 2/3 for the other 50.
    truth = answer(slot(1), slot(2))
    found = answer(slot(1, score=0.9), slot(5, score=0.8), slot(2, score=0.7))

    value = average_precision([found], [truth], CAT, 0.5)

    assert value == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_average_precision_stops_at_the_recall_that_is_reached():
    truth = answer(slot(1), slot(2))

    assert average_precision([answer(slot(1, score=0.9))], [truth], CAT, 0.5) == pytest.approx(
        51 / 101
    )


def test_a_second_box_on_the_same_object_is_wrong():
    # Right at 0.9, the duplicate at 0.8 wrong, then the second object right: as ranking above.
    truth = answer(slot(1), slot(2))
    found = answer(slot(1, score=0.9), slot(1, score=0.8), slot(2, score=0.7))

    value = average_precision([found], [truth], CAT, 0.5)

    assert value == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_average_precision_ranks_over_all_images_together():
    truths = [answer(slot(1)), answer()]
    found = [answer(slot(1, score=0.5)), answer(slot(1, score=0.9))]

    assert average_precision(found, truths, CAT, 0.5) == pytest.approx(0.5)


def test_average_precision_of_an_absent_label_is_not_a_number():
    assert math.isnan(average_precision([answer(slot(1))], [answer(slot(1))], DOG, 0.5))


def test_average_precision_without_predictions_is_zero():
    assert average_precision([answer()], [answer(slot(1))], CAT, 0.5) == 0.0


def test_mean_average_precision_is_over_thresholds_and_known_labels():
    # IoU of the one box is 0.8: right at 0.50 to 0.80, seven of the ten thresholds.
    truth = answer(region(0, 0, 0.5, 0.5))
    found = answer(region(0, 0, 0.4, 0.5, score=0.9))

    assert mean_average_precision([found], [truth], [CAT, DOG]) == 1.0
    every = mean_average_precision([found], [truth], [CAT, DOG], COCO_LEVELS)
    assert every == pytest.approx(0.7)


def test_mean_average_precision_without_a_true_box_is_not_a_number():
    assert math.isnan(mean_average_precision([answer(slot(1, score=0.9))], [answer()], [CAT, DOG]))


@given(st.lists(st.tuples(answers, answers), min_size=1, max_size=4))
def test_average_precision_never_rises_with_the_overlap_asked_for(pairs):
    found, truths = zip(*pairs, strict=True)

    values = [average_precision(found, truths, CAT, at) for at in (0.3, 0.5, 0.9)]

    assert math.isnan(values[0]) or all(0 <= value <= 1 for value in values)
    assert math.isnan(values[0]) or values[0] + 1e-9 >= values[2]


def shifted(box: Box, shift: np.ndarray) -> Box:
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    return Box(*np.clip(np.array([left, top, right, bottom]) + shift, 0, 1).tolist())


def test_it_agrees_with_pycocotools():
    # given 30 images with jittered, mislabeled, duplicate and superfluous detections
    rng = np.random.default_rng(7)
    truths, found = [], []
    for _ in range(30):
        corners, sizes = rng.uniform(0, 0.6, (4, 2)), rng.uniform(0.1, 0.35, (4, 2))
        real = [
            region(*corner, *(corner + size), [CAT, DOG][rng.integers(2)])
            for corner, size in zip(corners, sizes, strict=True)
        ]
        truths.append(answer(*real[:3]))
        detected = [
            Region(shifted(one.box, rng.normal(0, 0.02, 4)), one.label, float(rng.uniform()))
            for one in real
            for _ in range(2)
        ]
        found.append(answer(*detected))
    # then the figures are those of COCOeval in pycocotools 2.0.11
    assert mean_average_precision(found, truths, [CAT, DOG]) == pytest.approx(
        0.6685290432481011, abs=1e-9
    )
    every = mean_average_precision(found, truths, [CAT, DOG], COCO_LEVELS)
    assert every == pytest.approx(0.3298283926890714, abs=1e-9)
