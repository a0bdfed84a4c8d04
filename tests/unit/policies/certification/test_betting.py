from itertools import permutations

import numpy as np
import pytest

from backend.policies.certification.betting import p_value


@pytest.mark.parametrize(
    "population",
    [
        (0, 0, 0, 0, 1, 1, 1),
        (0, 0, 0, 0, 0, 0, 1),
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0),
        (0.25,) * 7,
    ],
)
@pytest.mark.parametrize("risk", [0.1, 0.3, 0.6])
def test_the_true_sum_is_rejected_in_no_more_samples_than_the_risk(population, risk):
    # given every sample of 5 of a population of 7, in every order
    samples = np.array(list(permutations(population, 5)))
    total = sum(population)
    rejected = [p_value(sample, total, 7, total / 7) <= risk for sample in samples]
    assert np.mean(rejected) <= risk


def test_larger_sums_are_rejected_more_easily():
    values = np.random.default_rng(0).beta(1, 9, 60)
    found = [p_value(values, total, 200, 0.2) for total in (10, 20, 30, 40, 80, 150)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.5
    assert found[-1] < 1e-6


def test_a_sum_that_no_population_has_is_rejected_at_once():
    assert p_value(np.array([0.0, 0.1]), 9.5, 10, 0.5) == 0


def test_a_sum_that_the_sample_exceeds_is_never_rejected():
    assert p_value(np.array([0.9, 0.9, 0.0, 0.0]), 1.0, 100, 0.01) == 1


def test_without_a_sample_nothing_is_rejected():
    assert p_value(np.array([]), 5.0, 10, 0.5) == 1


def test_a_small_variance_is_worth_a_lot():
    # given the same mean, once by a few large values and once by many small ones
    few, many = np.repeat([0.0, 1.0], [95, 5]), np.full(100, 0.05)
    rng = np.random.default_rng(1)
    large, small = (p_value(rng.permutation(one), 100, 1000, 0.1) for one in (few, many))
    assert small < large / 2
