import pytest

from backend.policies.promotion import decide, standard_error


def test_the_first_version_is_promoted():
    assert decide({"accuracy": 0.1}, None, 100).yes


def test_a_better_one_is_promoted_with_both_figures():
    decision = decide({"accuracy": 0.91}, {"accuracy": 0.9}, 200)
    assert decision.yes
    assert decision.because == "accuracy 0.910 against 0.900 on the same 200 held-out images"


def test_one_that_is_clearly_worse_is_kept_aside():
    decision = decide({"accuracy": 0.8}, {"accuracy": 0.9}, 200)
    assert not decision.yes
    assert decision.because.endswith("worse, kept aside")


def test_the_same_drop_on_few_images_may_be_chance():
    assert decide({"map50": 0.8}, {"map50": 0.9}, 10).yes


def test_without_a_common_metric_or_image_there_is_nothing_to_compare():
    assert decide({"map50": 0.1}, {"accuracy": 0.9}, 100).yes
    assert decide({"accuracy": 0.1}, {"accuracy": 0.9}, 0).yes


def test_the_standard_error_is_that_of_two_shares():
    assert standard_error(0.5, 0.5, 50) == pytest.approx(0.1)
