import numpy as np
import pytest

from backend.policies import neighbors
from backend.policies.hard_examples.neighborhood import NEIGHBORS, neighborhood

DIMENSIONS, LABELS = 16, 4


def rng(seed=0):
    return np.random.default_rng(seed)


def features(many, seed=0):
    """Vectors around a few centers; those that are stored are float16."""
    centers = rng(7).normal(size=(3, DIMENSIONS))
    vectors = centers[rng(seed).integers(0, 3, many)] + rng(seed).normal(size=(many, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def labels(many, seed=0):
    """None, one or several of the labels of each image; nothing has the last one."""
    given = rng(seed).random((many, LABELS)) < 0.4
    given[:, -1] = False
    return given


def cosines(one, other):
    return one.astype(np.float64) @ other.astype(np.float64).T


@pytest.fixture(params=[16_000_000, 100], ids=["at once", "in blocks"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(neighbors, "CHUNK_CELLS", request.param)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("many", [1, NEIGHBORS - 1, NEIGHBORS, 30])
def test_the_nearest_of_all_and_of_each_label_are_those_of_a_full_comparison(many):
    images, labeled, given = features(50), features(many, 1), labels(many, 2)
    near = neighborhood(images, labeled, given)
    full = cosines(images, labeled)
    assert near.positions.tolist() == np.argsort(-full, axis=1)[:, :NEIGHBORS].tolist()
    assert near.to_any == pytest.approx(full.max(axis=1), abs=1e-6)
    expected = np.where(given.T, full[:, None, :], -np.inf).max(axis=2)
    assert near.to_label == pytest.approx(expected, abs=1e-6)
    assert np.isneginf(near.to_label[:, -1]).all()


@pytest.mark.usefixtures("blocks")
def test_no_labeled_image_is_near_itself():
    labeled, given = features(30), labels(30)
    near = neighborhood(labeled, labeled, given, skip_self=True)
    full = np.where(np.eye(30), -np.inf, cosines(labeled, labeled))
    assert near.positions.tolist() == np.argsort(-full, axis=1)[:, :NEIGHBORS].tolist()
    assert near.to_any == pytest.approx(full.max(axis=1), abs=1e-6)
    expected = np.where(given.T, full[:, None, :], -np.inf).max(axis=2)
    assert near.to_label == pytest.approx(expected, abs=1e-6)


def test_nothing_is_near_where_nothing_or_only_the_image_itself_is_labeled():
    for near in (
        neighborhood(features(3), features(0), labels(0)),
        neighborhood(features(1), features(1), labels(1), skip_self=True),
    ):
        assert near.positions.shape[1] == 0
        assert np.isneginf(near.to_any).all()
        assert np.isneginf(near.to_label).all()


def test_of_copies_the_nearest_are_different_ones():
    # given seven copies of one labeled image
    labeled = np.repeat(features(1), 7, axis=0)
    near = neighborhood(features(4, 1), labeled, labels(7))
    assert all(len(set(found)) == NEIGHBORS for found in near.positions.tolist())
