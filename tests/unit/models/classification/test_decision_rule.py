import numpy as np
import pytest

from backend.models.calibration import ScoreCalibration
from backend.models.classification.decision_rule import THRESHOLD_PRIOR, Rule, best_threshold
from backend.models.link_functions import SIGMOID, SOFTMAX

PLAIN = ScoreCalibration()


def f1_score(targets, predicted):
    return 2 * np.sum(targets & predicted) / (np.sum(targets) + np.sum(predicted))


def test_one_label_of_many_is_the_likeliest():
    rule = Rule(SOFTMAX, np.full(3, 0.5), PLAIN)

    chosen, confidence = rule.decide(np.array([[0.2, 0.45, 0.35]]))

    assert chosen.tolist() == [[False, True, False]]
    assert confidence == pytest.approx([0.45])


def test_several_labels_are_those_over_their_own_threshold():
    rule = Rule(SIGMOID, np.array([0.3, 0.6]), PLAIN)

    chosen, confidence = rule.decide(np.array([[0.4, 0.5], [0.1, 0.1]]))

    assert chosen.tolist() == [[True, False], [False, False]]
    assert confidence == pytest.approx([0.4 * 0.5, 0.9 * 0.9])


def test_the_threshold_of_a_frequent_label_has_the_best_f1():
    rng = np.random.default_rng(0)
    probability = rng.random(4000) ** 3
    targets = rng.random(4000) < probability

    threshold = best_threshold(probability, targets)

    best = max(f1_score(targets, probability >= at) for at in np.linspace(0.05, 0.95, 91))
    assert f1_score(targets, probability >= threshold) > best - 0.01


def test_the_threshold_of_a_rare_label_keeps_near_one_half():
    probability = np.array([0.2] + [0.01] * 50)

    threshold = best_threshold(probability, probability > 0.1)

    assert threshold == pytest.approx((0.105 + THRESHOLD_PRIOR * 0.5) / (1 + THRESHOLD_PRIOR))


def test_a_label_that_never_occurs_keeps_one_half():
    assert best_threshold(np.array([0.3, 0.4]), np.array([False, False])) == 0.5


def test_equal_probabilities_are_not_parted():
    probability = np.array([0.5, 0.5, 0.5, 0.1])

    threshold = best_threshold(probability, np.array([True, False, True, False]))

    assert 0.1 < threshold < 0.5
