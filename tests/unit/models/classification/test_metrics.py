import math

import numpy as np
import pytest

from backend.models.classification.metrics import accuracy, confusion, macro_f1


def test_accuracy_of_several_labels_requires_every_one_to_be_right():
    truth = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    predicted = np.array([[1, 0], [1, 0], [0, 0]], dtype=bool)

    assert accuracy(predicted, truth) == pytest.approx(2 / 3)


def test_accuracy_of_nothing_is_not_a_number():
    assert math.isnan(accuracy(np.array([]), np.array([])))


def test_confusion_has_the_truth_in_its_rows():
    cells = confusion(np.array([1, 1, 0]), np.array([0, 1, 0]), 2)

    assert cells.tolist() == [[1, 1], [0, 1]]


def test_macro_f1_leaves_out_labels_that_nobody_used():
    truth = np.array([[1, 0], [1, 0]], dtype=bool)

    assert macro_f1(truth, truth) == 1.0
