import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from backend.domain.ids import Label
from backend.models.metrics import (
    accuracy,
    confusion,
    label_table,
    macro_f1,
)


def test_accuracy_of_several_labels_wants_every_one_right():
    truth = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    predicted = np.array([[1, 0], [1, 0], [0, 0]], dtype=bool)

    assert accuracy(predicted, truth) == pytest.approx(2 / 3)


def test_accuracy_of_nothing_is_not_a_number():
    assert math.isnan(accuracy(np.array([]), np.array([])))


def test_confusion_has_the_truth_in_its_rows():
    cells = confusion(np.array([1, 1, 0]), np.array([0, 1, 0]), 2)

    assert cells.tolist() == [[1, 1], [0, 1]]


def test_label_table_and_macro_f1_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((2, 40, 5)) < 0.3
    labels = tuple(Label(str(number)) for number in range(5))

    rows = label_table(predicted, truth, labels)

    theirs = precision_recall_fscore_support(truth, predicted, zero_division=0)
    ours = [[row.precision, row.recall, row.f1, row.images] for row in rows]
    assert np.allclose(ours, np.transpose(theirs))
    assert macro_f1(predicted, truth) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_macro_f1_leaves_out_labels_that_nobody_used():
    truth = np.array([[1, 0], [1, 0]], dtype=bool)

    assert macro_f1(truth, truth) == 1.0
