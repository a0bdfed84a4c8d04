import numpy as np
from hypothesis import given

from backend.models.detection.comparison import BoxComparison, PooledDetections, compare
from tests.fakes.boxes import CAT, DOG, answer, answers, region, slot


def test_detections_are_ranked_by_score():
    image = BoxComparison.of(answer(slot(1, score=0.2), slot(2, score=0.9)), answer())
    assert image.scores.tolist() == [0.9, 0.2]


def test_a_true_box_taken_by_a_better_detection_is_not_matched_again():
    image = BoxComparison.of(answer(slot(1, score=0.9), slot(1, score=0.8)), answer(slot(1)))
    assert image.true_positives().tolist() == [[True, False]]


def test_a_detection_counts_up_to_the_level_that_its_overlap_reaches():
    image = BoxComparison.of(
        answer(region(0, 0, 0.4, 0.5, score=0.9)), answer(region(0, 0, 0.5, 0.5))
    )
    assert image.true_positives((0.5, 0.75, 0.9)).tolist() == [[True], [True], [False]]


def test_a_box_is_located_by_a_detection_of_any_label():
    image = BoxComparison.of(answer(slot(1, DOG)), answer(slot(1), slot(2)))
    assert image.located().tolist() == [True, False]
    assert not image.true_positives().any()


@given(answers, answers)
def test_keeping_some_detections_equals_comparing_only_those(found, truth):
    kept = BoxComparison.of(found, truth).at_least(0.5)
    again = BoxComparison.of(answer(*kept.detections), truth)
    assert np.array_equal(kept.iou, again.iou)
    assert np.array_equal(kept.true_positives(), again.true_positives())


def test_pooled_detections_of_a_label_keep_the_order_of_images():
    images = compare(
        [answer(slot(1, score=0.5)), answer(slot(2, DOG, score=0.7), slot(3, score=0.9))],
        [answer(slot(1)), answer(slot(1))],
    )
    cats = PooledDetections.of(images).of_label(CAT)
    assert cats.scores.tolist() == [0.5, 0.9]
    assert cats.right.tolist() == [[True, False]]
    assert PooledDetections.of([]).right.shape == (1, 0)
