"""When work is divided, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.policies.sharding import LARGEST, SMALLEST, divide, pays


@pytest.mark.parametrize(
    ("images", "seconds_each", "least", "helpers", "expected"),
    [
        (6000, 0.01, 60, 1, True),
        (5999, 0.01, 60, 1, False),
        (100_000, 0.0001, 60, 9, False),
        (6000, 0.01, 60, 0, False),
        (6000, 0.01, 0, 1, False),
        (SMALLEST, 10.0, 60, 1, False),
    ],
)
def test_dividing_pays_where_others_help_and_the_work_is_long(
    images: int, seconds_each: float, least: float, helpers: int, expected: bool
):
    assert pays(images, seconds_each, least, helpers) is expected


@given(st.integers(0, 30_000), st.integers(1, 12))
def test_every_image_is_in_one_shard_of_a_fair_size(images: int, workers: int):
    shards = divide(range(images), workers)
    assert [one for shard in shards for one in shard] == list(range(images))
    sizes = [len(shard) for shard in shards]
    assert all(0 < size <= LARGEST for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_a_worker_gets_several_shards_and_a_shard_is_worth_a_process():
    assert len(divide(range(5000), 2)) == 8
    assert len(divide(range(100_000), 2)) == 50
    assert len(divide(range(300), 10)) == 2
