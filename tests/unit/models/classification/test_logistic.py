import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.errors import Stopped
from backend.models.classification import logistic
from backend.models.classification.logistic import Linear, Space
from backend.models.link_functions import SIGMOID, SOFTMAX
from tests.fakes.clusters import clusters


def one_hot(truth, labels):
    return np.eye(labels, dtype=np.float32)[truth]


def head_of(features, targets, link, c, **more):
    space = Space.of(features)
    return space.back(logistic.fit(space.rows, targets, link, c, tolerance=1e-7, **more))


def test_importance_of_two_is_the_same_as_showing_an_image_twice():
    features, truth = clusters()
    twice = np.concatenate([features, features[:20]])
    importance = np.ones(60, np.float32)
    importance[:20] = 2

    shown = head_of(twice, one_hot(np.concatenate([truth, truth[:20]]), 3), SOFTMAX, 1.0)
    weighed = head_of(features, one_hot(truth, 3), SOFTMAX, 1.0, importance=importance)

    assert np.allclose(shown.logits(features), weighed.logits(features), atol=5e-3)


def test_coordinates_of_few_images_keep_all_inner_products():
    features, _ = clusters(images=12, width=50)

    space = Space.of(features)

    centred = features.astype(np.float32) - space.mean
    assert space.rows.shape[1] <= 12
    assert np.allclose(space.rows @ space.rows.T, centred @ centred.T, atol=1e-4)


@pytest.mark.parametrize("link", [SOFTMAX, SIGMOID])
def test_some_images_teach_the_same_in_the_coordinates_of_all(link):
    features, truth = clusters(images=60, width=80)
    some, targets = np.arange(0, 60, 2), one_hot(truth, 3)[::2]

    alone = head_of(features[some], targets, link, 10.0)
    space = Space.of(features)
    among = space.back(logistic.fit(space.rows[some], targets, link, 10.0, tolerance=1e-7))

    assert np.allclose(alone.logits(features), among.logits(features), atol=5e-3)


def test_identical_images_can_be_learned_from():
    features = np.ones((4, 6), dtype=np.float16) / np.sqrt(6)

    head = head_of(features, one_hot(np.array([0, 0, 0, 1]), 2), SOFTMAX, 1.0)

    assert SOFTMAX.probabilities(head.logits(features))[0] == pytest.approx([0.75, 0.25], abs=0.01)


def test_logits_of_many_rows_do_not_depend_on_the_chunks():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(logistic.ROWS + 5, 4)).astype(np.float16)
    head = Linear(rng.normal(size=(4, 2)).astype(np.float32), np.zeros(2, np.float32))

    assert np.allclose(head.logits(features), features.astype(np.float32) @ head.weights)


def test_a_stop_ends_the_search():
    features, truth = clusters()

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        head_of(features, one_hot(truth, 3), SOFTMAX, 1.0, throttled=stop)


@given(st.lists(st.lists(st.floats(-500, 500), min_size=3, max_size=3), min_size=1, max_size=5))
@settings(max_examples=50)
def test_links_stay_finite_and_their_losses_are_logs_of_their_probabilities(rows):
    logits = np.array(rows)
    for link in (SOFTMAX, SIGMOID):
        probability = link.probabilities(logits)
        assert ((probability >= 0) & (probability <= 1)).all()
        assert np.isfinite(link.losses(logits, np.eye(3)[np.zeros(len(rows), int)])).all()
    small = np.clip(logits, -10, 10)
    first = np.eye(3)[np.zeros(len(rows), int)]
    assert np.allclose(SOFTMAX.losses(small, first), -np.log(SOFTMAX.probabilities(small)[:, 0]))
