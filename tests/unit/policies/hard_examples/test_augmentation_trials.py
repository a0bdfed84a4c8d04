"""Which augmentations keep the meaning of a project's images."""

import pytest

from backend.domain.answers import Choices
from backend.domain.ids import Label
from backend.policies.hard_examples.consistency import reason_unused, try_augmentation


def signs(text):
    return [Choices((Label(sign),)) for sign in text]


def tried(truths, plain, augmented):
    return try_augmentation(20, signs(plain), signs(augmented), signs(truths))


def test_a_mirrored_digit_is_another_sign():
    # given a model that is always right, and calls a mirrored 2 a 5 and a mirrored 6 a 3
    trial = tried("0122568801226588", "0122568801226588", "0155538801553588")
    assert (trial.images, trial.changed, trial.used) == (16, 6, False)
    assert reason_unused(trial) == "it changes 6 of 16 right answers to held-out images"


def test_an_augmentation_that_changes_few_right_answers_is_used():
    trial = tried("abababababababababab", "abababababababababab", "abababababbbabababaa")
    assert (trial.images, trial.changed, trial.used) == (20, 2, True)


@pytest.mark.parametrize(("turned", "used"), [(2, True), (3, False)])
def test_one_label_that_becomes_another_is_enough(turned, used):
    truths = "a" * 30 + "b" * 4
    augmented = "a" * 30 + "b" * (4 - turned) + "a" * turned
    assert tried(truths, truths, augmented).used is used


def test_wrong_answers_do_not_count():
    trial = tried("a" * 20, "a" * 12 + "b" * 8, "a" * 20)
    assert (trial.images, trial.changed, trial.used) == (12, 0, True)


def test_an_augmentation_is_not_used_where_few_answers_are_known():
    few, enough = (tried("a" * count, "a" * count, "a" * count) for count in (9, 10))
    assert (few.used, enough.used) == (False, True)
    assert reason_unused(few) == "only 9 of 10 right answers to held-out images to try it on"
    assert reason_unused(enough) == ""
