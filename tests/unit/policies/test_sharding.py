"""When work is divided, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.policies.sharding import LARGEST, SMALLEST, WORTH_DIVIDING, divide, may_pay, pays


@pytest.mark.parametrize(
    ("images", "least", "helpers", "expected"),
    [
        (WORTH_DIVIDING + 1, 20, 1, True),
        (WORTH_DIVIDING, 20, 1, False),
        (6000, 20, 0, False),
        (6000, 0, 1, False),
    ],
)
def test_others_are_asked_where_there_are_some_and_many_images(
    images: int, least: float, helpers: int, expected: bool
):
    assert may_pay(images, least, helpers) is expected


@pytest.mark.parametrize(
    ("images", "seconds_each", "expected"),
    [(2000, 0.01, True), (1999, 0.01, False), (100_000, 0.0001, False)],
)
def test_dividing_pays_where_one_worker_would_need_long(
    images: int, seconds_each: float, expected: bool
):
    assert pays(images, seconds_each, 20) is expected


@given(st.integers(0, 30_000), st.integers(1, 12))
def test_every_image_is_in_one_shard_and_the_large_ones_come_first(images: int, workers: int):
    shards = divide(range(images), workers)
    assert [one for shard in shards for one in shard] == list(range(images))
    sizes = [len(shard) for shard in shards]
    assert all(SMALLEST <= size <= LARGEST for size in sizes) or sizes == [images] or not sizes
    assert sizes[:-1] == sorted(sizes[:-1], reverse=True)


def test_the_first_shard_is_half_a_share_and_the_last_ones_take_a_second():
    sizes = [len(shard) for shard in divide(range(5000), 2)]
    assert len(sizes) < 20
    assert sizes[0] == 5000 // 4
    assert sizes[-2] == SMALLEST <= sizes[-1] < 2 * SMALLEST
    assert len(divide(range(100_000), 2)) < 80
