from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.policies.certification.correctness import agreement, is_right, right

CAT, DOG = Label("cat"), Label("dog")


def region(left, label=CAT, width=0.2):
    return Region(Box(left, 0.1, left + width, 0.3), label)


def test_labels_are_right_in_any_order_and_no_label_is_an_answer():
    assert is_right(Choices((CAT, DOG)), Choices((DOG, CAT)))
    assert is_right(Choices(()), Choices(()))
    assert not is_right(Choices((CAT,)), Choices((CAT, DOG)))


def test_boxes_are_right_when_each_true_one_is_found_and_none_is_left_over():
    truth = Regions((region(0.1), region(0.5, DOG)))
    assert is_right(Regions((region(0.52, DOG), region(0.11))), truth)
    assert not is_right(Regions((region(0.1),)), truth)
    assert not is_right(Regions((*truth.regions, region(0.75))), truth)
    assert not is_right(Regions((region(0.1), region(0.5, CAT))), truth)
    assert not is_right(Regions((region(0.1), region(0.7, DOG))), truth)


def test_one_box_cannot_stand_for_two():
    assert not is_right(Regions((region(0.1), region(0.7))), Regions((region(0.1), region(0.12))))


def test_a_whole_list_is_judged_in_order():
    assert list(right([Choices((CAT,)), Choices((DOG,))], [Choices((CAT,))] * 2)) == [True, False]


def test_labels_and_boxes_are_never_the_same_answer():
    assert not is_right(Choices((CAT,)), Regions((region(0.1),)))
    assert agreement(Regions((region(0.1),)), Choices((CAT,))) == 0


def test_boxes_agree_by_their_f1_and_no_box_agrees_with_no_box():
    truth = Regions((region(0.1), region(0.5, DOG)))
    assert agreement(Regions((region(0.1),)), truth) == 2 / 3
    assert agreement(Regions(()), Regions(())) == 1
    assert agreement(Choices((CAT,)), Choices((CAT,))) == 1
