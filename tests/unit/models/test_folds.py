import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.models.folds import stratified


@given(st.lists(st.integers(0, 4), min_size=5, max_size=60), st.integers(2, 5), st.integers(0, 9))
def test_folds_are_even_and_each_label_is_spread_over_them(classes, folds, seed):
    targets = np.eye(5, dtype=bool)[classes]

    dealt = stratified(targets, folds, seed)

    sizes = np.bincount(dealt, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for label in range(5):
        seen = np.bincount(dealt[targets[:, label]], minlength=folds)
        assert seen.max() - seen.min() <= 1


@given(st.integers(0, 99))
def test_the_same_seed_deals_the_same_folds(seed):
    targets = np.random.default_rng(seed).random((30, 4)) < 0.2

    assert (stratified(targets, 5, seed) == stratified(targets, 5, seed)).all()


def test_images_of_the_rarest_label_lie_in_different_folds():
    targets = np.ones((20, 2), dtype=bool)
    targets[5:, 1] = False

    dealt = stratified(targets, 5, seed=0)

    assert sorted(dealt[:5]) == [0, 1, 2, 3, 4]
