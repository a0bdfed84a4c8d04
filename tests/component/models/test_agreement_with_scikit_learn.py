"""Our metrics and our logistic regression give the figures that scikit-learn gives."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_recall_fscore_support
from sklearn.metrics import log_loss as their_log_loss

from backend.domain.ids import Label
from backend.models.classification import logistic
from backend.models.classification.evaluation import log_loss
from backend.models.classification.logistic import Space
from backend.models.classification.metrics import label_table, macro_f1
from backend.models.link_functions import SIGMOID, SOFTMAX
from tests.fakes.clusters import clusters

PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
TRUTH = np.array([[True, False], [False, True], [False, True]])


def head_of(features, targets, link, c):
    space = Space.of(features)
    return space.back(logistic.fit(space.rows, targets, link, c, tolerance=1e-7))


@pytest.mark.parametrize("c", [0.3, 1.0, 30.0])
@pytest.mark.parametrize("width", [8, 90])
def test_softmax_regression_agrees_with_scikit_learn(c, width):
    features, truth = clusters(width=width)

    head = head_of(features, np.eye(3, dtype=np.float32)[truth], SOFTMAX, c)

    theirs = LogisticRegression(C=c, tol=1e-8, max_iter=5000).fit(features.astype(float), truth)
    ours = SOFTMAX.probabilities(head.logits(features))
    assert np.allclose(ours, theirs.predict_proba(features.astype(float)), atol=2e-3)


def test_sigmoid_regression_agrees_with_scikit_learn():
    features, truth = clusters(width=90)
    targets = np.column_stack([truth == 0, truth <= 1]).astype(np.float32)

    head = head_of(features, targets, SIGMOID, 10.0)

    ours = SIGMOID.probabilities(head.logits(features))
    for column in range(2):
        alone = LogisticRegression(C=10.0, tol=1e-8, max_iter=5000)
        theirs = alone.fit(features.astype(float), targets[:, column])
        expected = theirs.predict_proba(features.astype(float))[:, 1]
        assert np.allclose(ours[:, column], expected, atol=2e-3)


def test_label_table_and_macro_f1_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((2, 40, 5)) < 0.3
    labels = tuple(Label(str(number)) for number in range(5))

    rows = label_table(predicted, truth, labels)

    theirs = precision_recall_fscore_support(truth, predicted, zero_division=0)
    ours = [[row.precision, row.recall, row.f1, row.images] for row in rows]
    assert np.allclose(ours, np.transpose(theirs))
    assert macro_f1(predicted, truth) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_log_loss_of_one_label_agrees_with_scikit_learn():
    assert log_loss(SOFTMAX, PROBABILITIES, TRUTH) == pytest.approx(
        their_log_loss(TRUTH, PROBABILITIES)
    )


def test_log_loss_of_several_labels_is_the_sum_over_them():
    alone = [their_log_loss(TRUTH[:, column], PROBABILITIES[:, column]) for column in range(2)]

    assert log_loss(SIGMOID, PROBABILITIES, TRUTH) == pytest.approx(sum(alone))
