"""The feature cache: quick, shared, and hard to break."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.images.notes import Note

WIDTH = 1280


def entry(seed: int) -> Entry:
    rng = np.random.default_rng(seed)
    return Entry(rng.random(WIDTH).astype(np.float16), rng.random(6, np.float32), Note(seed % 4))


def entries(count: int, start: int = 0) -> dict[str, Entry]:
    return {f"{number:064x}": entry(number) for number in range(start, start + count)}


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features" / "backbone.sqlite")


def test_what_was_put_is_got_bit_by_bit(cache: FeatureCache) -> None:
    kept = entries(5)
    cache.put(kept)

    got = dict(cache.get([*kept, "unknown"]))

    assert got.keys() == kept.keys()
    for digest, one in kept.items():
        assert (got[digest].vector == one.vector).all()
        assert (got[digest].image_stats == one.image_stats).all()
        assert got[digest].notes == one.notes
    assert cache.width() == WIDTH


def test_many_are_read_as_arrays(cache: FeatureCache) -> None:
    kept = entries(5)
    cache.put(kept)

    found = cache.read([*reversed(kept), "unknown"])

    assert set(found.digests) == set(kept)
    assert (found.vectors.shape, found.image_stats.shape) == ((5, WIDTH), (5, 6))
    for place, digest in enumerate(found.digests):
        assert (found.vectors[place] == kept[digest].vector).all()
        assert (found.image_stats[place] == kept[digest].image_stats).all()
        assert found.notes[place] == kept[digest].notes


def test_equal_digests_are_counted_each(cache: FeatureCache) -> None:
    cache.put(entries(1200))
    known = list(entries(1200))
    assert cache.count([*known, "unknown", known[0], "unknown"]) == 1201


def test_an_empty_cache_has_no_entries(cache: FeatureCache) -> None:
    assert dict(cache.get(["a"])) == {}
    assert len(cache.read(["a"]).vectors) == len(cache.read([]).vectors) == cache.count([]) == 0
    assert cache.width() is None


def test_five_thousand_are_got_at_once_quickly(cache: FeatureCache) -> None:
    vector = entry(0)
    cache.put({f"{number:064x}": vector for number in range(5000)})
    matrix = np.zeros((5000, WIDTH), np.float16)
    wanted = [f"{number:064x}" for number in range(5000)]
    spent = []
    for _ in range(3):
        started = time.thread_time()
        for row, (_, found) in enumerate(cache.get(wanted)):
            matrix[row] = found.vector
        spent.append(time.thread_time() - started)

    assert (matrix[-1] == vector.vector).all()
    assert min(spent) < 0.3


WRITER = """
import sys, numpy as np
from pathlib import Path
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.images.notes import Note
cache, first = FeatureCache(Path(sys.argv[1])), int(sys.argv[2])
for start in range(first, first + int(sys.argv[3]), 50):
    rows = range(start, start + 50)
    cache.put({f"{n:064x}": Entry(np.full(1280, n % 1000, np.float16), np.zeros(6, np.float32),
              Note(0)) for n in rows})
    print(start, flush=True)
"""


def writer(path: Path, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_leaves_a_sound_file_with_all_it_had_committed(tmp_path: Path) -> None:
    path = tmp_path / "backbone.sqlite"
    process = writer(path, 0, 1_000_000)
    committed = [int(process.stdout.readline()) for _ in range(8)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    got = dict(FeatureCache(path).get([f"{number:064x}" for number in range(committed + 50)]))

    assert len(got) == committed + 50
    assert all((one.vector == int(digest, 16) % 1000).all() for digest, one in got.items())
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not list(tmp_path.glob("*.damaged*"))


def test_several_processes_write_the_same_new_file(tmp_path: Path) -> None:
    path = tmp_path / "backbone.sqlite"
    processes = [writer(path, first, 500) for first in (0, 250, 500)]
    assert [process.wait(60) for process in processes if process.communicate()] == [0, 0, 0]

    assert len(dict(FeatureCache(path).get([f"{number:064x}" for number in range(1000)]))) == 1000
    assert not list(tmp_path.glob("*.damaged*"))


def damaged(path: Path) -> None:
    FeatureCache(path).put(entries(200))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def text(path: Path) -> None:
    path.write_text("this is no database " * 500)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE features (something_else)")


@pytest.mark.parametrize("spoil", [damaged, text, foreign])
def test_an_unusable_file_is_set_aside_with_a_warning(
    tmp_path: Path, spoil, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "backbone.sqlite"
    spoil(path)
    cache = FeatureCache(path)

    got = dict(cache.get([f"{number:064x}" for number in range(200)]))
    cache.put(entries(1))

    assert got == {}
    assert len(dict(cache.get(list(entries(1))))) == 1
    assert len(list(tmp_path.glob("backbone.damaged-*"))) == 1
    assert "set aside" in caplog.text
