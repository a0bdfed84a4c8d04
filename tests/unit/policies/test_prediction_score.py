import numpy as np
import pytest

from backend.policies.prediction_score import prediction_score


def test_the_score_of_one_control_is_its_confidence():
    assert prediction_score([np.array([0.25, 1.0])], 2).tolist() == [0.25, 1.0]


def test_the_score_of_several_controls_is_the_product_of_their_confidences():
    score = prediction_score([np.array([0.5, 0.9]), np.array([0.5, 0.8])], 2)
    assert score == pytest.approx([0.25, 0.72])
    assert score.dtype == np.float32


def test_an_unknown_confidence_scores_nothing_and_rounding_never_leaves_the_range():
    score = prediction_score([np.array([np.nan, 1 + 1e-6, -1e-9])], 3)
    assert score.tolist() == [0, 1, 0]


def test_without_a_control_every_image_scores_one_and_without_an_image_there_is_no_score():
    assert prediction_score([], 2).tolist() == [1, 1]
    assert prediction_score([np.empty(0)], 0).shape == (0,)
