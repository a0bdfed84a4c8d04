from fractions import Fraction
from math import comb, lgamma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from backend.policies.certification.hypergeometric import cdf, log_factorial, most_mistakes


def column(*values):
    return np.array(values, dtype=np.intp)


def test_logarithms_of_factorials_are_those_of_the_gamma_function():
    for n in (column(0, 1, 2, 19, 20, 21, 1000), column(0, 1, 19, 20, 4095, 4096, 300_000)):
        assert log_factorial(n) == pytest.approx([lgamma(x + 1) for x in n], rel=1e-13)


@settings(deadline=None)
@given(st.integers(1, 25), st.data())
def test_the_distribution_is_counted_out(population, data):
    wrong, drawn = (data.draw(st.integers(0, population)) for _ in range(2))
    most = data.draw(st.integers(0, population))
    right, few = population - wrong, range(min(most, drawn) + 1)
    ways = sum(comb(wrong, x) * comb(right, drawn - x) for x in few)
    exact = Fraction(ways, comb(population, drawn))
    found = cdf(column(most), column(population), column(wrong), column(drawn))
    assert found[0] == pytest.approx(float(exact), rel=1e-12, abs=1e-12)


def test_the_distribution_is_scipys_for_large_populations():
    rng = np.random.default_rng(0)
    population = rng.integers(10_000, 300_000, 50)
    drawn, most = rng.integers(50, 400, 50), rng.integers(0, 30, 50)
    wrong = population // 20
    expected = hypergeom.cdf(most, population, wrong, drawn)
    assert cdf(most, population, wrong, drawn) == pytest.approx(expected, rel=1e-8)


def test_more_wrong_ones_than_the_population_holds_have_no_probability():
    assert cdf(column(0, 3), column(5, 5), column(6, 6), column(2, 2)).tolist() == [0, 0]


def test_no_rows_give_no_probabilities():
    assert cdf(column(), column(), column(), column()).tolist() == []


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 40), st.data())
def test_the_limit_is_the_last_number_of_mistakes_that_rejects(population, data):
    drawn = data.draw(st.integers(1, population))
    allowed = data.draw(st.integers(0, population))
    risk = data.draw(st.sampled_from([0.01, 0.05, 0.2, 0.6]))
    limit = int(most_mistakes(column(population), column(drawn), column(allowed), risk)[0])

    def rejects(mistakes):
        return (
            cdf(
                column(mistakes),
                column(population),
                column(mistakes + allowed + 1),
                column(drawn),
            )[0]
            <= risk
        )

    assert [rejects(k) for k in range(drawn + 1)] == [k <= limit for k in range(drawn + 1)]


@pytest.mark.parametrize("risk", [0.49, 0.6])
def test_a_high_risk_is_bisected_to_the_same_limit(risk):
    sizes, drawn, allowed = column(100, 1000, 300), column(10, 200, 40), column(4, 50, 0)
    limits = most_mistakes(sizes, drawn, allowed, risk)
    for k in (0, 1):  # the limit rejects, one more does not
        tails = cdf(limits + k, sizes, limits + k + allowed + 1, drawn)
        assert ((tails <= risk) == (k == 0)).all()
