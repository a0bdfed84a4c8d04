import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.models.calibration import (
    Calibration,
    ScoreCalibration,
    brier,
    expected_calibration_error,
    platt,
    reliability,
    temperature,
)
from backend.models.link_functions import SIGMOID, SOFTMAX


def drawn(logits, rng):
    """Truth drawn from the probabilities that the logits mean."""
    probability = SOFTMAX.probabilities(logits).cumsum(axis=1)
    picks = (rng.random((len(logits), 1)) > probability).sum(axis=1)
    return np.eye(logits.shape[1], dtype=bool)[np.minimum(picks, logits.shape[1] - 1)]


@pytest.mark.parametrize("slope", [0.5, 1.0, 4.0])
def test_temperature_finds_the_slope_that_was_taken_away(slope):
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(4000, 4))
    targets = drawn(logits, rng)

    found = temperature(logits / slope, targets)

    assert found.slope[0] == pytest.approx(slope, rel=0.08)


def test_bias_of_each_label_is_found_once_every_label_has_fifty_images():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(6000, 3))
    targets = drawn(logits + np.array([1.0, 0.0, -1.0]), rng)

    offset = temperature(logits, targets).offset

    assert offset - offset.mean() == pytest.approx([1, 0, -1], abs=0.15)


def test_few_images_give_no_bias():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(60, 3))

    assert (temperature(logits, drawn(logits, rng)).offset == 0).all()


def test_temperature_of_logits_that_are_always_right_stays_finite():
    logits = 5 * np.eye(2)[[0, 1] * 10]

    found = temperature(logits, logits > 0)

    assert 1 < found.slope[0] < 100


def test_platt_draws_a_rare_label_to_the_fit_of_all():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(2000, 2))
    targets = rng.random(logits.shape) < SIGMOID.probabilities(3 * logits - 1)
    rare = np.where(np.arange(2000) < 4, True, False)
    lonely = np.column_stack([logits[:, 0], np.full(2000, -9.0)])
    truth = np.column_stack([targets[:, 0], rare & False])

    alone, shrunk = platt(logits, targets), platt(lonely, truth)

    assert alone.slope == pytest.approx([3, 3], abs=0.4)
    assert alone.offset == pytest.approx([-1, -1], abs=0.3)
    assert shrunk.slope[1] == pytest.approx(shrunk.slope[0], abs=1.0)


def test_calibration_keeps_the_order_of_one_label_of_many():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(40, 3))
    found = temperature(logits, drawn(logits, rng))

    assert (found(logits).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_identity_changes_nothing():
    logits = np.arange(6.0).reshape(2, 3)

    assert (Calibration.identity(3)(logits) == logits).all()


def test_a_score_calibration_finds_how_often_a_score_is_right():
    rng = np.random.default_rng(4)
    scores = rng.uniform(0.01, 0.99, 5000)
    correct = rng.random(5000) < scores**2

    found = ScoreCalibration.of(scores, correct)

    assert expected_calibration_error(found(scores), correct) < 0.04
    assert expected_calibration_error(scores, correct) > 0.1


def test_without_examples_a_score_stays_what_it_is():
    assert ScoreCalibration.of(np.array([]), np.array([], bool))(np.array([0.3])) == pytest.approx(
        [0.3]
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_a_score_calibration_never_decreases_and_stays_a_probability(examples):
    scores, correct = (np.array(column) for column in zip(*examples, strict=True))

    calibrated = ScoreCalibration.of(scores, correct.astype(bool))(np.linspace(0, 1, 11))

    assert (np.diff(calibrated) >= -1e-12).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_calibration_error_of_a_hand_worked_case():
    confidence = np.array([0.9] * 10 + [0.6] * 10)
    correct = np.array([True] * 9 + [False] + [True] * 4 + [False] * 6)

    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.1)
    wide = expected_calibration_error(confidence, correct, bins=10, equal_mass=False)
    assert wide == pytest.approx(0.1)


def test_reliability_counts_every_answer_once():
    rng = np.random.default_rng(5)
    confidence = rng.random(103)
    for equal_mass in (True, False):
        bins = reliability(confidence, confidence > 0.5, 10, equal_mass)
        assert sum(point.count for point in bins) == 103
        assert all(point.low <= point.confidence <= point.high for point in bins)


def test_brier_is_zero_for_certainty_and_two_for_certain_error():
    truth = np.array([[True, False]])

    assert brier(np.array([[1.0, 0.0]]), truth) == 0
    assert brier(np.array([[0.0, 1.0]]), truth) == 2
