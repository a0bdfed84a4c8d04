"""The chance that a label is wrong, on labels whose noise is known."""

import numpy as np
import pytest

from backend.policies.label_noise import exclusive, independent
from tests.fakes.noisy_labels import noisy


def drawn(count, labels, rng):
    """Calibrated probabilities of a middling model, and labels that follow them."""
    logits = rng.normal(0, 2.5, (count, labels))
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return table, (table.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)


@pytest.mark.parametrize("flat", [1, 0.7])
def test_right_labels_are_not_called_wrong_although_the_model_errs_often(flat):
    table, labels = drawn(800, 8, np.random.default_rng(0))
    assert np.mean(table.argmax(axis=1) == labels) < 0.8
    flattened = table**flat
    flattened /= flattened.sum(axis=1, keepdims=True)
    assert np.mean(exclusive(flattened, labels) >= 0.3) <= 0.01


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_the_chances_sum_up_to_the_number_of_wrong_labels(share):
    rng = np.random.default_rng(1)
    table, labels = drawn(3000, 8, rng)
    wrong = rng.random(3000) < share
    given = np.where(wrong, (labels + rng.integers(1, 8, 3000)) % 8, labels)
    chances = exclusive(table, given)
    assert chances.sum() == pytest.approx(wrong.sum(), rel=0.35)
    assert chances[wrong].mean() > 5 * chances[~wrong].mean()


def test_no_noise_is_made_up_from_few_labels():
    table, given = noisy(count=40, wrong=0)
    assert exclusive(table, given).max() < 0.3


def test_omitted_labels_are_told_from_added_ones():
    # given labels of which a tenth was left out, and none was added
    rng = np.random.default_rng(2)
    probabilities = 1 / (1 + np.exp(-rng.normal(-3, 5, (600, 6))))
    truth = rng.random((600, 6)) < probabilities
    given = truth & (rng.random((600, 6)) > 0.1)
    chances = independent(probabilities, given)
    listed = chances >= 0.3
    assert listed.sum() > 0.5 * (truth & ~given).sum()
    assert np.mean((truth & ~given)[listed]) > 0.6
    assert np.mean(listed[given]) < 0.03


def test_many_labels_are_fitted_on_a_part_of_them():
    table, given = noisy(count=40_001, wrong=2_000)
    chances = exclusive(table, given)
    assert np.mean(chances[:2_000] >= 0.3) > 0.9
    assert np.mean(chances[2_000:] >= 0.3) < 0.01
