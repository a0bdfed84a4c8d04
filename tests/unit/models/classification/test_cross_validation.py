import numpy as np
import pytest

from backend.domain.steps import Step
from backend.models.classification.cross_validation import (
    C_VALUES,
    FEW,
    IMPOSSIBLE,
    MANY,
    cross_validate,
    scorable,
)
from backend.models.classification.logistic import Space, fit
from backend.models.link_functions import SIGMOID, SOFTMAX
from tests.fakes.training_sets import silent


def clusters(truth, labels, width=48, noise=0.5):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(labels, width))[truth] + noise * rng.normal(size=(len(truth), width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def targets_of(truth, labels):
    return np.eye(labels, dtype=bool)[truth]


def test_many_labels_are_learned_as_thoroughly_as_few():
    truth = np.arange(400) % 100
    features, targets = clusters(truth, 100), targets_of(truth, 100)

    validated = cross_validate(features, targets, SOFTMAX, 0, silent)

    assert (validated.out_of_fold.argmax(axis=1) == truth).mean() > 0.9
    assert validated.log_loss < 1


def test_with_many_images_three_folds_do_and_one_chooses_the_strength():
    truth = np.arange(MANY + 100) % 3
    steps = []

    validated = cross_validate(
        clusters(truth, 3, noise=2), targets_of(truth, 3), SOFTMAX, 0, lambda *at: steps.append(at)
    )

    assert validated.folds.max() == 2
    assert list(validated.tried) == [validated.c]
    of = len(C_VALUES) + 3
    assert steps[0] == (Step.TRAIN, 0, of, "")
    done = [done for _, done, *_ in steps]
    assert done == sorted(done)
    assert 3 < done[-1] < of


def test_the_final_head_is_that_of_a_fit_from_zero():
    truth = np.arange(MANY + 100) % 3
    features, targets = clusters(truth, 3, noise=2), targets_of(truth, 3)

    validated = cross_validate(features, targets, SOFTMAX, 0, silent)

    space = Space.of(features)
    alone = space.back(fit(space.rows, targets.astype(np.float32), SOFTMAX, validated.c))
    found, expected = (
        SOFTMAX.probabilities(head.logits(features)) for head in (validated.head, alone)
    )
    assert np.abs(found - expected).mean() < 0.01


def test_an_image_whose_label_no_other_fold_has_says_nothing_of_the_head():
    truth = np.array([0] * 10 + [1] * 10 + [2])
    features, targets = clusters(truth, 3), targets_of(truth, 3)

    validated = cross_validate(features, targets, SOFTMAX, 0, silent)

    assert validated.scored.tolist() == [True] * 20 + [False]
    assert validated.out_of_fold[20, 2] == IMPOSSIBLE


def test_independent_labels_are_always_scored():
    targets = np.array([[True, False], [False, False], [True, True]])

    assert scorable(targets, np.array([0, 1, 1]), SIGMOID).all()


def test_larger_strengths_are_tried_while_they_may_help_and_all_with_few_images():
    truth = np.arange(2 * FEW) % 3
    features, targets = clusters(truth, 3, noise=2), targets_of(truth, 3)
    many, few = (
        cross_validate(features[:n], targets[:n], SOFTMAX, 0, silent) for n in (2 * FEW, FEW - 1)
    )
    losses = list(many.tried.values())
    assert tuple(many.tried) == C_VALUES[: len(losses)] != C_VALUES
    assert min(losses) == losses[-3] < losses[-2] < losses[-1]
    assert tuple(few.tried) == C_VALUES


def test_the_strength_has_the_least_loss_of_those_tried():
    truth = np.arange(90) % 3
    validated = cross_validate(
        clusters(truth, 3, noise=2), targets_of(truth, 3), SOFTMAX, 0, silent
    )

    assert validated.log_loss == pytest.approx(min(validated.tried.values()))
    assert validated.tried[validated.c] == validated.log_loss
