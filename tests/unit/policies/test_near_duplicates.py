"""Images that look the same come last."""

import numpy as np

from backend.policies.near_duplicates import distinct_first

NONE = np.zeros((0, 3))
VIEWS = np.array([[1, 0, 0], [0.999, 0.0447, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float16)


def test_a_near_duplicate_is_put_off_and_others_keep_their_order():
    assert distinct_first(VIEWS, [0, 1, 3, 2], NONE, 3) == [0, 3, 2]
    assert distinct_first(VIEWS, [1, 0, 3, 2], NONE, 2) == [1, 3]


def test_it_comes_as_a_last_resort():
    assert distinct_first(VIEWS, [0, 1, 2, 3], NONE, 4) == [0, 2, 3, 1]
    assert distinct_first(VIEWS, [0, 1], NONE, 9) == [0, 1]


def test_what_looks_like_a_labeled_image_is_a_duplicate_too():
    assert distinct_first(VIEWS, [0, 1, 2, 3], VIEWS[:1], 2) == [2, 3]


def test_nothing_is_chosen_of_nothing():
    assert distinct_first(VIEWS, [], NONE, 3) == []
