"""When work is divided among workers, and into how many shards."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

LARGEST = 2000
"""Images in a shard: what a lost worker costs at most."""

A_WORKER = 4
"""Shards that each worker gets at least, so that a slow one does not keep the others waiting."""

SMALLEST = 200
"""Images in a shard at least: a process starts for each, and loads the model."""

Item = TypeVar("Item")


def pays(images: int, seconds_each: float, least: float, helpers: int) -> bool:
    """Return whether to divide: others are idle, and alone it would take `least` seconds.

    `least` is 0 where work is never to be divided.
    """
    return helpers > 0 and least > 0 and images > SMALLEST and images * seconds_each >= least


def divide(items: Sequence[Item], workers: int) -> list[Sequence[Item]]:
    """Return the items in shards of about equal size, for so many workers."""
    fair = -(-len(items) // (A_WORKER * workers))
    size = min(LARGEST, max(SMALLEST, fair))
    shards = -(-len(items) // size)
    bounds = [len(items) * number // shards for number in range(shards + 1)] if shards else [0]
    return [items[start:end] for start, end in pairwise(bounds)]
