"""Answers to images that were left out of the training."""

import numpy as np
import pytest

from backend.domain.schema import TaskKind
from backend.models.calibration import Calibration
from backend.models.classification import out_of_fold
from backend.models.classification.decision_rule import rule
from backend.models.classification.head import Head
from backend.models.classification.logistic import Linear
from backend.models.link_functions import SIGMOID, SOFTMAX
from tests.fakes.training_sets import LABELS, control

ROWS, FOLDS = 40, 5


def noise(link, seed=0):
    """Logits and labels that have nothing to do with each other, and folds."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (ROWS, len(LABELS))).astype(np.float32)
    truth = np.eye(len(LABELS), dtype=np.bool_)[rng.integers(0, len(LABELS), ROWS)]
    targets = truth if link is SOFTMAX else rng.random((ROWS, len(LABELS))) < 0.4
    return logits, targets, np.arange(ROWS) % FOLDS


def head(link):
    blank = Linear(np.zeros((3, len(LABELS))), np.zeros(len(LABELS)))
    empty = np.zeros((0, len(LABELS)))
    start = rule(link, empty, empty.astype(np.bool_))
    return Head(LABELS, blank, Calibration.identity(len(LABELS)), start)


CASES = pytest.mark.parametrize(
    ("link", "kind"), [(SOFTMAX, TaskKind.SINGLE), (SIGMOID, TaskKind.MULTI)]
)


@CASES
def test_the_answer_to_an_image_does_not_depend_on_its_label(link, kind):
    logits, targets, folds = noise(link)
    before = out_of_fold.answers(control(kind), head(link), logits, targets, folds)
    targets[7] = np.roll(targets[7], 1)
    after = out_of_fold.answers(control(kind), head(link), logits, targets, folds)
    assert after.answers[7] == before.answers[7]
    assert after.confidence[7] == before.confidence[7]
    assert after.confidence[8] != before.confidence[8], "the others do learn from it"


@CASES
def test_a_row_of_no_fold_is_not_fitted_on_and_is_answered_by_the_head_as_it_is(link, kind):
    logits, targets, folds = noise(link)
    folds[7] = out_of_fold.NO_FOLD
    before = out_of_fold.answers(control(kind), head(link), logits, targets, folds)
    targets[7] = np.roll(targets[7], 1)
    after = out_of_fold.answers(control(kind), head(link), logits, targets, folds)
    assert after.confidence.tolist() == before.confidence.tolist()
    own = head(link).answer(control(kind), logits)
    assert (before.answers[7], before.confidence[7]) == (own.answers[7], own.confidence[7])


@CASES
def test_no_rows_are_no_error(link, kind):
    logits, targets, folds = (array[:0] for array in noise(link))
    assert out_of_fold.answers(control(kind), head(link), logits, targets, folds).answers == ()
