"""When work is divided among workers, and into how many shards."""

from collections.abc import Sequence
from typing import TypeVar

LARGEST = 2000
"""Images in a shard: what a lost worker costs at most."""

A_WORKER = 2
"""Each shard is this part of what every worker would get of the rest. So the first ones are large,
and the last ones so small that all workers end at about the same time, however fast each is
(Hummel, Schonberg and Flynn 1992, "Factoring"). Thirds mean half as many shards again, each of
which costs its worker some tens of milliseconds."""

SMALLEST = 16
"""Images in a shard at least; the last one may be larger by as much. For that long a worker may
have to wait for the other ones in the end."""

WORTH_DIVIDING = 200
"""Images from which on other workers are asked: each starts a process, and loads the model."""

Item = TypeVar("Item")


def may_pay(images: int, least: float, helpers: int) -> bool:
    """Return whether to divide if this takes one worker `least` seconds; 0 where never to."""
    return helpers > 0 and least > 0 and images > WORTH_DIVIDING


def pays(images: int, seconds_each: float, least: float) -> bool:
    """Return whether one worker would need `least` seconds for all of it."""
    return images * seconds_each >= least


def divide(items: Sequence[Item], workers: int) -> list[Sequence[Item]]:
    """Return the items in shards for so many workers, the largest ones first."""
    shards: list[Sequence[Item]] = []
    start = 0
    while left := len(items) - start:
        size = min(LARGEST, max(SMALLEST, left // (A_WORKER * workers)))
        if left - size < SMALLEST:
            size = left
        shards.append(items[start : start + size])
        start += size
    return shards
