import numpy as np

from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.domain.targets import multi_hot

CAT, DOG, EMU = (Label(name) for name in ("cat", "dog", "emu"))


def test_multi_hot_marks_the_labels_of_each_answer_in_the_order_of_the_columns():
    targets = multi_hot([Choices((DOG, CAT)), Choices(()), Choices((DOG,))], (CAT, DOG))
    assert targets.dtype == np.bool_
    assert targets.tolist() == [[True, True], [False, False], [False, True]]


def test_multi_hot_counts_a_label_of_several_boxes_once_and_ignores_unlisted_labels():
    box = Box(0.1, 0.1, 0.2, 0.2)
    answer = Regions((Region(box, CAT), Region(box, CAT), Region(box, EMU)))
    assert multi_hot([answer], (CAT, DOG)).tolist() == [[True, False]]


def test_multi_hot_of_no_answer_has_no_row():
    assert multi_hot([], (CAT, DOG)).shape == (0, 2)
