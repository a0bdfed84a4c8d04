"""New features are stored together, and none is lost or unknown meanwhile."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.embedding.feature_writer import AT_LEAST_EVERY, AT_ONCE, FeatureWriter
from backend.models.images.notes import Note


class CountingCache(FeatureCache):
    """Counts its transactions."""

    transactions = 0

    @override
    def put(self, entries: Mapping[str, Entry]) -> None:
        self.transactions += 1
        super().put(entries)


@pytest.fixture
def cache(tmp_path: Path) -> CountingCache:
    return CountingCache(tmp_path / "features.sqlite")


def entries(first: int, count: int) -> dict[str, Entry]:
    numbers = range(first, first + count)
    return {
        f"{number}": Entry(np.full(4, number, np.float16), np.zeros(6, np.float32), Note(0))
        for number in numbers
    }


def test_many_batches_are_one_transaction(cache: CountingCache):
    writer = FeatureWriter(cache, lambda: 0.0)
    for first in range(0, AT_ONCE, 8):
        assert cache.transactions == 0
        writer.add(entries(first, 8))
    assert cache.transactions == 1
    assert cache.count(list(entries(0, AT_ONCE))) == AT_ONCE


def test_a_slow_batch_is_stored_after_a_second(cache: CountingCache):
    now = [100.0]
    writer = FeatureWriter(cache, lambda: now[0])
    writer.add(entries(0, 1))
    now[0] += AT_LEAST_EVERY / 2
    writer.add(entries(1, 1))
    assert cache.transactions == 0
    now[0] += AT_LEAST_EVERY / 2
    writer.add({})
    assert cache.count(["0", "1"]) == 2


def test_what_waits_is_known_and_stored_at_the_end(cache: CountingCache):
    cache.put(entries(0, 1))
    writer = FeatureWriter(cache, lambda: 0.0)
    writer.add(entries(1, 2))
    found = writer.get(["0", "1", "2", "3"])
    assert {digest: entry.vector[0] for digest, entry in found.items()} == {"0": 0, "1": 1, "2": 2}
    writer.flush()
    writer.flush()
    assert cache.transactions == 2
    assert cache.count(["1", "2"]) == 2
