import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.ids import Label
from backend.policies.certification.acceptance_test import Validation, max_mistakes, stops, tail
from backend.policies.certification.certificates import (
    PredictedLabels,
    Terms,
    certify,
    certify_labels,
    large_enough,
    promising,
    promising_labels,
    stays,
)
from backend.policies.certification.sample_size import how_many_more, too_few, unseen
from tests.fakes.calibrated_answers import evidence

MANY = 10_000_000


def binomial_tail(mistakes, accepted, error):
    return sum(
        math.comb(accepted, k) * error**k * (1 - error) ** (accepted - k)
        for k in range(mistakes + 1)
    )


def hypergeometric_tail(mistakes, population, wrong, accepted):
    """The chance of at most `mistakes` among `accepted` of a population with `wrong` mistakes."""
    ways = sum(
        math.comb(wrong, k) * math.comb(population - wrong, accepted - k)
        for k in range(mistakes + 1)
    )
    return ways / math.comb(population, accepted)


@pytest.mark.parametrize(("mistakes", "accepted"), [(0, 59), (1, 93), (3, 153), (20, 600)])
def test_with_a_large_pool_the_tail_is_the_binomial_one(mistakes, accepted):
    expected = binomial_tail(mistakes, accepted, 0.05)
    assert tail(mistakes, accepted, MANY, 0.05) == pytest.approx(expected, rel=1e-3)


def test_with_a_small_pool_the_tail_is_counted_out():
    # given 3 sampled and 5 open images; one mistake too many is one wrong open image
    # then the sample shows no mistake when the one wrong image is among the 5
    assert tail(0, 3, 5, 0.05) == pytest.approx(5 / 8)
    assert tail(0, 3, 0, 0.05) == 1


@pytest.mark.parametrize(
    ("max_error", "risk", "sizes"),
    [
        (0.05, 0.05, [59, 93, 124, 153, 181, 208]),
        (0.05, 0.10, [45, 77, 105, 132]),
        (0.10, 0.10, [22, 38, 52, 65]),
        (0.02, 0.05, [149, 236, 313]),
    ],
)
def test_the_smallest_samples_that_afford_each_mistake_are_the_known_ones(max_error, risk, sizes):
    for mistakes, size in enumerate(sizes):
        assert max_mistakes(size, MANY, max_error, risk) == mistakes
        assert max_mistakes(size - 1, MANY, max_error, risk) == mistakes - 1


@settings(deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 60), st.sampled_from([0.02, 0.05, 0.2])
)
def test_the_tail_is_the_hypergeometric_one(accepted, pool, taken, max_error):
    for mistakes in range(accepted + 3):
        wrong = mistakes + math.floor(max_error * pool + 1e-9) + 1
        population = pool + accepted + taken
        exact = 1.0
        if mistakes < accepted:
            exact = hypergeometric_tail(mistakes, population, wrong, accepted)
        assert tail(mistakes, accepted, pool, max_error, taken) == pytest.approx(exact, abs=1e-9)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 200), st.sampled_from([0.02, 0.05, 0.2]))
def test_more_mistakes_are_never_less_likely_to_be_seen(accepted, pool, max_error):
    tails = [tail(mistakes, accepted, pool, max_error) for mistakes in range(accepted + 1)]
    assert all(0 <= one <= 1 for one in tails)
    assert all(one <= other + 1e-9 for one, other in itertools.pairwise(tails))


def test_images_that_people_took_from_the_pool_count_as_right_ones():
    # given 3 sampled, 5 open images and 4 taken: the one wrong image is among the 5 open ones
    # then the sample shows it in 3 of 12 cases
    assert tail(0, 3, 5, 0.05, labeled_since=4) == pytest.approx(9 / 12)
    afforded = [max_mistakes(100, 500, 0.05, 0.05, taken) for taken in (0, 10, 50, 100, 150)]
    assert afforded == sorted(afforded, reverse=True)


def test_a_perfect_sample_certifies_everything_and_a_bad_one_nothing():
    scores = np.linspace(0.5, 1, 400)
    good = certify(Validation(scores, np.ones(400, bool), scores), Terms())
    bad = certify(Validation(scores, np.arange(400) % 3 > 0, scores), Terms())
    assert good is not None
    assert good.threshold <= scores[10]
    assert good.mistakes == 0
    assert bad is None


def test_the_promise_says_what_it_rests_on():
    scores = np.linspace(0.5, 1, 400)
    terms = Terms(assumption="assuming that labels are random")
    certificate = certify(Validation(scores, np.ones(400, bool), scores), terms)
    assert certificate is not None
    assert certificate.promise.startswith("With 95 % confidence over all rounds of this project, ")
    assert "at most 5 % of the " in certificate.promise
    assert certificate.promise.endswith(" are wrong, assuming that labels are random.")


@pytest.mark.parametrize("pool", [1, 2, 3, 10])
@pytest.mark.parametrize("max_error", [0.001, 0.01, 0.05])
def test_each_threshold_is_tested_once_however_few_images_are_left(pool, max_error):
    scores = np.linspace(0.9, 1, 300)
    found = Validation(scores, np.ones(300, bool), np.ones(pool))
    tested = [one.accepted for one in itertools.islice(stops(found, max_error, 0.0375), 301)]
    assert tested == sorted(set(tested))


def test_equal_scores_stand_or_fall_together():
    # given a sample in which all scores are the same
    scores = np.full(500, 0.9)
    certificate = certify(Validation(scores, np.ones(500, bool), scores), Terms())
    assert certificate is not None
    assert (certificate.threshold, certificate.accepted) == (0.9, 500)


def test_without_a_sample_or_without_a_pool_nothing_is_certified():
    none, some = np.zeros(0), np.linspace(0.5, 1, 400)
    assert certify(Validation(none, none.astype(bool), some), Terms()) is None
    assert certify(Validation(some, np.ones(400, bool), none), Terms()) is None


def test_all_attempts_together_spend_the_confidence_and_no_more():
    spent = sum(Terms(confidence=0.95, attempt=attempt).risk for attempt in range(1, 60))
    assert spent == pytest.approx(0.05)


def test_accepted_validation_images_leave_the_sample():
    scores = np.linspace(0.5, 1, 400)
    right = scores > 0.75
    certificate = certify(Validation(scores, right, scores), Terms())
    assert certificate is not None
    assert stays(scores, certificate).sum() == 400 - certificate.accepted
    assert stays(scores, None).all()


def test_a_label_gets_a_certificate_where_its_own_sample_affords_one():
    # given a common label that is always right, a common one often wrong, and a rare one
    answers = np.repeat([0, 1, 2], [300, 300, 20])
    right = np.where(answers == 1, np.arange(620) % 3 > 0, True)
    scores = np.random.default_rng(0).random(620)
    labels = (Label("cat"), Label("dog"), Label("emu"))
    predicted = PredictedLabels(answers, answers, np.empty(0, dtype=np.intp))
    found = certify_labels(Validation(scores, right, scores), predicted, labels, Terms())
    assert list(found) == ["cat"]
    assert "'cat' labels" in found["cat"].promise
    assert found["cat"].label == "cat"


def test_the_message_says_how_many_more_and_so_many_suffice_in_most_cases():
    rng = np.random.default_rng(1)
    small, _ = evidence(rng, 30, 5000)
    more = how_many_more(small, Terms())
    assert more is not None
    assert f"about {more} more would do" in too_few(small, Terms())
    draws = [evidence(rng, 30 + more, 5000)[0] for _ in range(40)]
    assert sum(certify(draw, Terms()) is not None for draw in draws) >= 26


def test_a_model_that_is_not_good_enough_is_reported_as_such():
    rng = np.random.default_rng(2)
    hopeless, _ = evidence(rng, 400, 5000, wrong=lambda confidence: np.full_like(confidence, 0.4))
    assert how_many_more(hopeless, Terms()) is None
    assert "the model must become better first" in too_few(hopeless, Terms())


def test_where_certifying_costs_more_than_labeling_the_rest_it_says_so():
    rng = np.random.default_rng(3)
    few, _ = evidence(rng, 40, 60)
    assert "label them by hand instead" in too_few(few, Terms())


def test_whether_to_test_hangs_on_scores_alone():
    validation, _ = evidence(np.random.default_rng(0), 400, 5000)
    other = Validation(validation.confidence, ~validation.right, validation.pool)
    assert promising(validation, Terms()) == promising(other, Terms())


def test_a_test_is_promising_where_the_scores_expect_it_to_pass():
    sure = Validation(np.full(300, 0.99), np.ones(300, dtype=bool), np.full(5000, 0.99))
    unsure = Validation(np.full(300, 0.9), np.ones(300, dtype=bool), np.full(5000, 0.9))
    assert promising(sure, Terms())
    assert not promising(unsure, Terms())
    assert large_enough(unsure, Terms())


def test_a_sample_that_affords_no_mistake_at_all_is_not_testable():
    few = Validation(np.full(60, 0.99), np.ones(60, dtype=bool), np.full(5000, 0.99))
    assert not large_enough(few, Terms())
    assert not promising(few, Terms())


def test_one_confident_label_is_enough_to_test_label_by_label():
    score = np.where(np.arange(400) % 2, 0.995, 0.6)
    validation = Validation(score, score > 0.9, np.tile(score, 10))
    answers = np.arange(400) % 2
    labels = (Label("cat"), Label("dog"))
    predicted = PredictedLabels(answers, np.tile(answers, 10), np.empty(0, dtype=np.intp))
    assert promising_labels(validation, predicted, labels, Terms())
    hopeless = Validation(np.full(400, 0.6), score > 0.9, np.full(4000, 0.6))
    assert not promising_labels(hopeless, predicted, labels, Terms())


def test_no_label_is_tested_where_each_sample_is_too_small_for_any_test():
    few = Validation(np.full(6, 0.99), np.ones(6, dtype=np.bool_), np.full(500, 0.99))
    predicted = PredictedLabels(np.arange(6) % 2, np.arange(500) % 2, np.empty(0, dtype=np.intp))
    assert certify_labels(few, predicted, (Label("cat"), Label("dog")), Terms()) == {}
    assert not promising_labels(few, predicted, (Label("cat"), Label("dog")), Terms())


def test_a_large_pool_says_how_many_validation_images_are_missing():
    few = Validation(np.full(30, 0.99), np.ones(30, dtype=np.bool_), np.full(100_000, 0.99))
    assert "30 random validation images are too few for 5.0% error" in too_few(few, Terms())


def test_before_any_validation_image_the_plan_is_what_a_good_model_needs():
    strict, loose = (how_many_more(unseen(10_000), Terms(max_error=e)) for e in (0.02, 0.1))
    assert 0 < loose < strict
