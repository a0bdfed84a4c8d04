import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.domain.answers import Choices, Region, Regions
from backend.domain.batches import PredictionBatch
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.domain.schema import TaskKind
from backend.policies.uncertainty import (
    any_label,
    boxes,
    margin,
    uncertainty,
)

SURE, UNDECIDED, NO_IDEA = [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]


def region(score, label):
    return Region(Box(0.1, 0.1, 0.2, 0.2), Label(label), score)


def test_the_scores_have_their_known_values():
    table = np.array([SURE, UNDECIDED, NO_IDEA])
    assert margin(table) == pytest.approx([0, 1, 1])


@given(arrays(np.float64, (4, 5), elements=st.floats(0.01, 1)))
def test_every_score_lies_between_0_and_1(weights):
    table = weights / weights.sum(axis=1, keepdims=True)
    for score in (margin, any_label):
        assert np.all((score(table) >= -1e-9) & (score(table) <= 1 + 1e-9))


def test_of_several_labels_the_least_certain_one_decides():
    assert any_label(np.array([[0.99, 0.01], [0.99, 0.5]])) == pytest.approx([0.0808, 1], abs=1e-3)


def found(*scores, label="cell"):
    return Regions(tuple(region(score, label) for score in scores))


def test_an_image_with_more_uncertain_boxes_is_more_uncertain_however_many_there_are():
    answers = [Regions(()), found(1), found(0.5), found(0.5, 0.5), found(*[0.5] * 40)]
    scores = boxes(answers)
    assert scores[:2] == pytest.approx([0, 0], abs=1e-6)
    assert scores[3:] / scores[2] == pytest.approx([2, 40])


def test_an_uncertain_box_of_a_difficult_label_weighs_more():
    # given cells that are sure but for one, and rods that never are
    scores = boxes([found(0.5), found(*[1] * 9), found(0.5, label="rod")])
    assert scores == pytest.approx([1.05, 0, 1.5], abs=1e-6)


def test_each_kind_of_control_has_its_score():
    predictions = PredictionBatch((Choices(()),), np.ones(1), np.array([[0.5, 0.5]]))
    assert uncertainty(TaskKind.SINGLE, predictions) == pytest.approx([1])
    assert uncertainty(TaskKind.MULTI, predictions) == pytest.approx([1])
    assert uncertainty(TaskKind.DETECTION, predictions) == pytest.approx([0])


def test_of_a_single_label_its_probability_says_how_uncertain_the_model_is():
    assert margin(np.array([[0.9], [0.4]])) == pytest.approx([0.1, 0.6])
