import numpy as np
import pytest

from backend.domain.ids import Label
from backend.models.classification.evaluation import WIDEST_CONFUSION, log_loss, scores, tables
from backend.models.link_functions import SIGMOID, SOFTMAX

LABELS = (Label("cat"), Label("dog"))
CHANCE = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
TRUTH = np.array([[True, False], [False, True], [False, True]])
ANSWERS = np.array([[True, False], [False, True], [True, False]])


def test_log_loss_of_a_label_held_impossible_stays_finite():
    assert np.isfinite(log_loss(SOFTMAX, np.array([[1.0, 0.0]]), np.array([[False, True]])))


def test_scores_judge_the_whole_answer():
    found = scores(SOFTMAX, CHANCE, ANSWERS, CHANCE.max(axis=1), TRUTH)

    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["images"] == 3
    assert 0 <= found["ece"] <= 1


def test_confusion_has_the_truth_in_its_rows():
    found = tables(SOFTMAX, ANSWERS, CHANCE.max(axis=1), TRUTH, LABELS)

    assert found["confusion"] == [[1, 0], [1, 1]]
    assert [row["label"] for row in found["per_label"]] == list(LABELS)
    assert sum(point["count"] for point in found["reliability"]) == 3


def test_with_several_labels_confusion_has_a_place_for_none():
    truth = np.array([[True, False], [True, True], [False, False], [True, False]])
    answers = np.array([[False, True], [True, False], [True, False], [True, False]])
    found = tables(SIGMOID, answers, CHANCE.max(axis=1)[[0, 1, 2, 2]], truth, LABELS)

    assert found["confusion"] == [[2, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_precision_is_that_of_the_surest_answers():
    found = tables(SOFTMAX, ANSWERS, CHANCE.max(axis=1), TRUTH, LABELS)

    assert [point["precision"] for point in found["coverage"]] == [1, 0.5, pytest.approx(2 / 3)]


def test_a_confusion_table_too_wide_for_a_report_is_left_out():
    many = tuple(Label(str(number)) for number in range(WIDEST_CONFUSION + 1))
    targets = np.eye(len(many), dtype=bool)

    assert "confusion" not in tables(SOFTMAX, targets, np.ones(len(many)), targets, many)
