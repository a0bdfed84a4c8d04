from dataclasses import replace

import pytest

from backend.policies.learning_curve import PastTraining
from backend.policies.retraining import (
    RetrainingPolicy,
    Situation,
    decide,
    images_wanted,
    lacks_only_quiet,
)

READY = Situation(obstacle="", new=40, quiet=10, rested=100, history=(PastTraining(100, 0.8),))


def test_the_first_training_starts_as_soon_as_the_preconditions_hold():
    assert decide(Situation(obstacle="", new=10, quiet=10)).yes


def test_nothing_starts_while_a_precondition_is_missing_and_it_says_which():
    decision = decide(replace(READY, obstacle="class 'dog' has 3 of 5 images"))
    assert (decision.yes, decision.reason) == (False, "class 'dog' has 3 of 5 images")


def test_enough_new_images_start_the_next_training():
    assert decide(READY).yes
    few = decide(replace(READY, new=3))
    assert (few.yes, few.reason) == (False, "3 of 24 new images for the next training")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"busy": True}, "running"),
        ({"quiet": 1}, "waiting for 5 s of quiet"),
        ({"rested": 20}, "less than 60 s ago"),
    ],
)
def test_it_waits_for_quiet_for_the_cooldown_and_for_a_running_training(change, words):
    decision = decide(replace(READY, **change))
    assert not decision.yes
    assert words in decision.reason


def test_the_first_training_waits_for_a_short_pause_at_most():
    patient = RetrainingPolicy(debounce=30, longest_wait=300)
    first = Situation(obstacle="", new=10, quiet=4)
    assert decide(first, patient).reason == "people are annotating; waiting for 5 s of quiet"
    assert lacks_only_quiet(first, patient)
    assert decide(replace(first, quiet=5), patient).yes
    assert not lacks_only_quiet(replace(first, quiet=5), patient)
    assert decide(replace(first, waited=15), patient).yes
    later = replace(READY, quiet=10, waited=15)
    assert not decide(later, patient).yes
    hasty = RetrainingPolicy(debounce=1, longest_wait=2)
    assert decide(replace(first, quiet=1), hasty).yes


def test_the_number_of_images_grows_with_what_is_there():
    wanted = [
        images_wanted((PastTraining(images, 0.8),), RetrainingPolicy())
        for images in (20, 100, 1000)
    ]
    assert wanted == [10, 24, 235]


def test_a_flat_curve_needs_more_images_than_a_steep_one_but_at_least_a_tenth():
    flat = [PastTraining(100, 0.80), PastTraining(1000, 0.801), PastTraining(10_000, 0.802)]
    steep = [PastTraining(100, 0.5), PastTraining(1000, 0.95), PastTraining(10_000, 0.995)]
    assert images_wanted(flat, RetrainingPolicy()) > images_wanted(
        [PastTraining(10_000, 0.8)], RetrainingPolicy()
    )
    assert images_wanted(steep, RetrainingPolicy()) < images_wanted(
        [PastTraining(10_000, 0.8)], RetrainingPolicy()
    )
    assert images_wanted(steep, RetrainingPolicy()) >= 1000
    assert images_wanted(flat, RetrainingPolicy()) <= 10_000


def test_a_perfect_score_does_not_break_the_curve():
    assert images_wanted([PastTraining(100, 1.0), PastTraining(100, 1.0)], RetrainingPolicy()) >= 10
