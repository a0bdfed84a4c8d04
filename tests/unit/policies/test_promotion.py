import pytest

from backend.policies.promotion import decide, standard_error


def answers(right, wrong):
    return [1.0] * right + [0.0] * wrong


def test_the_first_version_is_promoted():
    assert decide(answers(1, 9), None).yes


def test_a_better_one_is_promoted_with_both_figures():
    decision = decide(answers(182, 18), answers(180, 20))
    assert decision.yes
    assert decision.reason == "agreement 0.910 against 0.900 on the same 200 held-out images"


def test_an_equal_one_is_promoted_whatever_it_gets_wrong():
    assert decide([1.0, 0.0, 0.3], [0.0, 1.0, 0.3]).yes


def test_one_that_is_clearly_worse_is_kept_aside():
    decision = decide(answers(160, 40), answers(180, 20))
    assert not decision.yes
    assert decision.reason == (
        "agreement 0.800 against 0.900 on the same 200 held-out images: worse, kept aside; "
        "chance explains 0.021"
    )


def test_images_that_both_get_right_do_not_make_a_drop_look_like_chance():
    # given 20 images of which the new version loses two and gains none
    assert not decide(answers(15, 5), answers(17, 3)).yes


def test_the_same_drop_with_gains_and_losses_may_be_chance():
    # given three gained and five lost
    gained_three = [0.0] * 5 + [1.0] * 3 + [1.0] * 12
    decision = decide(gained_three, [1.0] * 5 + [0.0] * 3 + [1.0] * 12)
    assert decision.yes
    assert decision.reason.endswith("no worse than chance explains (0.143)")


@pytest.mark.parametrize("images", [1, 5, 20, 300])
def test_one_image_alone_that_got_worse_keeps_no_version_aside(images):
    assert decide(answers(images - 1, 1), answers(images, 0)).yes


def test_boxes_that_are_a_little_worse_on_every_image_are_worse():
    current = [0.9, 0.7, 0.85, 0.6, 0.8]
    assert not decide([score - 0.05 for score in current], current).yes


def test_without_a_held_out_image_there_is_nothing_to_compare():
    assert decide([], []).reason == "no held-out images to compare on yet"


def test_the_standard_error_is_that_of_the_paired_differences():
    assert standard_error([1, 0, 1, 1], [0, 0, 1, 1]) == pytest.approx(0.25)
