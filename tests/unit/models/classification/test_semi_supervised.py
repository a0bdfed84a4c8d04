import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import Stopped
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.models.classification.family import ClassifierFamily
from backend.models.classification.label_propagation import neighbour_graph, spread
from backend.models.classification.semi_supervised import FEWEST, surest
from backend.models.link_functions import SIGMOID, SOFTMAX
from tests.fakes.training_sets import (
    LABELS,
    choices,
    clusters,
    fetch,
    image_batch,
    several,
    silent,
    training_set,
)


def still():
    pass


def features(images, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(images, width)).astype(np.float16)


def test_the_graph_is_symmetric_and_leaves_out_the_image_itself():
    graph = neighbour_graph(features(40), 5, still).toarray()

    assert np.allclose(graph, graph.T)
    assert (np.diag(graph) == 0).all()
    assert ((graph > 0).sum(axis=1) >= 1).all()
    assert np.abs(np.linalg.eigvalsh(graph)).max() <= 1 + 1e-5


def test_labels_spread_as_the_closed_form_says():
    graph = neighbour_graph(features(30), 4, still)
    seeds = np.zeros((30, 2), dtype=np.float32)
    seeds[0, 0] = seeds[1, 1] = 1

    spread_out = spread(graph, seeds, 0.9)

    exact = np.linalg.solve(np.eye(30) - 0.9 * graph.toarray(), seeds)
    assert np.allclose(spread_out, exact, atol=1e-3)


def test_labels_reach_their_own_cluster_first():
    truth = np.arange(80) % 4
    graph = neighbour_graph(clusters(truth, noise=0.2), 10, still)
    seeds = np.zeros((80, 4), dtype=np.float32)
    seeds[np.arange(4), np.arange(4)] = 1

    assert (spread(graph, seeds, 0.9).argmax(axis=1) == truth).mean() > 0.95


def test_two_images_have_a_graph():
    assert neighbour_graph(features(2), 10, still).shape == (2, 2)


@given(st.integers(1, 40), st.floats(0.05, 1), st.integers(0, 9))
def test_the_most_confident_images_are_the_same_share_of_each_predicted_label(images, share, seed):
    probability = SOFTMAX.probabilities(np.random.default_rng(seed).normal(size=(images, 3)))

    rows = surest(probability, share, SOFTMAX)

    for label in range(3):
        group = np.flatnonzero(probability.argmax(axis=1) == label)
        taken = np.intersect1d(rows, group)
        assert len(taken) == np.ceil(share * len(group))
        left = np.setdiff1d(group, taken)
        if len(taken) and len(left):
            assert probability[taken, label].min() >= probability[left, label].max()


def test_with_several_labels_confidence_is_that_of_the_whole_answer():
    probability = np.array([[0.5, 0.5], [0.9, 0.1], [0.9, 0.6]])

    assert surest(probability, 0.3, SIGMOID).tolist() == [1]


def precise(train, unlabeled, **more):
    return training_set(
        clusters(train, noise=0.75),
        choices(train),
        unlabeled=clusters(unlabeled, noise=0.75, seed=1),
        algorithm=Algorithm.PRECISE,
        **more,
    )


def test_precise_says_what_it_tried_and_keeps_the_least_loss():
    model = ClassifierFamily().fit(precise(np.arange(20) % 4, np.arange(400) % 4))

    tried = model.notes["tried"]
    kept = [entry for entry in tried if entry["kept"]]
    able = [entry["log_loss"] for entry in tried if "teacher" not in entry["name"]]
    assert len(kept) == 1
    assert kept[0]["log_loss"] == min(able)


def share_right(algorithm, seed):
    """Of 1,000 fresh images, after three labeled images of each of four labels."""
    few, many, fresh = np.arange(12) % 4, np.arange(400) % 4, np.arange(1000) % 4
    model = ClassifierFamily().fit(
        training_set(
            clusters(few, 0.75, seed=seed),
            choices(few),
            unlabeled=clusters(many, 0.75, seed=seed + 50),
            algorithm=algorithm,
        )
    )
    answers = model.predict(image_batch(clusters(fresh, 0.75, seed=99)), fetch, silent).answers
    return np.mean([LABELS.index(answer.labels[0]) for answer in answers] == fresh)


def test_unlabeled_images_help_when_labels_are_few():
    gains = [
        share_right(Algorithm.PRECISE, seed) - share_right(Algorithm.FAST, seed)
        for seed in range(3)
    ]

    assert np.mean(gains) > 0.01


def test_without_unlabeled_images_precise_is_fast():
    truth = np.arange(40) % 4

    model = ClassifierFamily().fit(precise(truth, np.arange(FEWEST - 1) % 4))

    plain = ClassifierFamily().fit(training_set(clusters(truth, noise=0.75), choices(truth)))
    assert (model.head.linear.weights == plain.head.linear.weights).all()
    assert model.notes["tried"] == []


def test_several_labels_can_be_learned_precisely():
    rng = np.random.default_rng(0)
    targets, more = rng.random((60, 4)) < 0.4, rng.random((100, 4)) < 0.4
    centres = clusters(range(4), noise=0)

    model = ClassifierFamily().fit(
        training_set(
            targets @ centres + 1,
            several(targets),
            unlabeled=more @ centres + 1,
            kind=TaskKind.MULTI,
            algorithm=Algorithm.PRECISE,
        )
    )

    assert sum(entry["kept"] for entry in model.notes["tried"]) == 1
    assert model.metrics["accuracy"] > 0.5


def test_a_stop_ends_the_semi_supervised_part():
    def stop(step, done, of, detail=""):
        if detail == "semi-supervised":
            raise Stopped

    with pytest.raises(Stopped):
        ClassifierFamily().fit(precise(np.arange(20) % 4, np.arange(100) % 4, progress=stop))
