"""Where the learning curve leads."""

import pytest

from backend.policies.learning_curve import PastTraining, ahead


def test_the_error_falls_as_a_power_of_the_labels():
    first, *_, last = ahead([PastTraining(100, 0.8)], 1000)
    assert (first.images, last.images) == (125, 200)
    assert last.score == pytest.approx(1 - 0.2 * 2**-0.5)


def test_no_more_labels_are_forecast_than_there_are_images():
    assert [one.images for one in ahead([PastTraining(100, 0.8)], 130)] == [125, 130]
    assert ahead([PastTraining(100, 0.8)], 100) == ()


def test_without_a_training_there_is_no_forecast():
    assert ahead([], 100) == ()
    assert ahead([PastTraining(0, 0.5)], 100) == ()
