"""A cache may be damaged or deleted at any time: it sets itself aside, and the work goes on."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.images.notes import Note
from backend.stores.predictions import PredictionStore
from connectors.images.cache import ImageCache
from connectors.images.content import Content
from tests.fakes.image_source import FakeSource

PETS, VERSION = ProjectId(1), VersionName("al-0001-3f9c")
COUNT = 300
REFS = [ImageRef(TaskId(task), f"http://images.test/{task}.jpg") for task in range(COUNT)]


@dataclass
class Cache:
    """One of our caches: `fill` it, and `count` what it knows, in a new object each time."""

    path: Path
    fill: Callable[[], object]
    count: Callable[[], int]


def predictions(folder: Path) -> Cache:
    said = {"model_version": VERSION, "score": 0.5, "result": []}
    return Cache(
        folder / "projects" / "1" / "predictions.sqlite",
        lambda: PredictionStore(folder).put(PETS, VERSION, dict.fromkeys(REFS, said)),
        lambda: len(PredictionStore(folder).get(PETS, VERSION, REFS)),
    )


def features(folder: Path) -> Cache:
    path = folder / "features" / "backbone.sqlite"
    entry = Entry(np.zeros(100, np.float16), np.zeros(8, np.float32), Note(0))
    digests = [str(number) for number in range(COUNT)]
    return Cache(
        path,
        lambda: FeatureCache(path).put(dict.fromkeys(digests, entry)),
        lambda: len(dict(FeatureCache(path).get(digests))),
    )


def images(folder: Path) -> Cache:
    """What is unknown is fetched again at once, so this cache always knows everything."""
    contents = {ref.uri: ref.uri.encode() for ref in REFS}

    def known() -> int:
        cache = ImageCache(folder, FakeSource(contents), max_bytes=10**6, workers=2)
        slots = list(cache.digests([(ref.task, ref.uri) for ref in REFS]))
        cache.close()
        return sum(isinstance(slot, Content) for slot in slots)

    return Cache(folder / "index.sqlite", known, known)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def another_file(path: Path) -> None:
    path.write_bytes(b"<html>not what you expect</html>" * 500)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def holes(path: Path) -> None:
    """Overwrite all pages but the first two, as a bad sector or a power cut does."""
    content = path.read_bytes()
    assert len(content) > 3 * 4096
    path.write_bytes(content[:8192] + b"\xaa" * (len(content) - 8192))


def another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        for table in ("predictions", "features", "images", "objects", "total"):
            database.execute(f"CREATE TABLE {table} (something TEXT)")
    database.close()


@pytest.fixture(params=[predictions, features, images])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    return request.param(tmp_path)


def settled(path: Path) -> None:
    """Bring what is in the write-ahead log into the file, and delete the log."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


@pytest.mark.parametrize("damage", [zeros, another_file, cut, holes, another_program])
def test_a_damaged_cache_is_set_aside_and_filled_anew(
    cache: Cache, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    cache.fill()
    settled(cache.path)
    damage(cache.path)
    cache.count()
    cache.fill()
    assert cache.count() == COUNT
    assert [path for path in cache.path.parent.iterdir() if "damaged" in path.name]
    assert str(cache.path) in caplog.text


@pytest.mark.parametrize("leave_log", [True, False])
def test_a_cache_may_be_deleted(cache: Cache, leave_log: bool) -> None:
    cache.fill()
    for path in cache.path.parent.glob(f"{cache.path.name}*"):
        if path == cache.path or not leave_log:
            path.unlink()
    cache.count()
    cache.fill()
    assert cache.count() == COUNT


def test_a_damaged_row_costs_itself_only(tmp_path: Path) -> None:
    cache = predictions(tmp_path)
    cache.fill()
    with sqlite3.connect(cache.path) as database:
        database.execute("UPDATE predictions SET prediction = '{\"score\": ' WHERE task = 7")
        database.execute("UPDATE predictions SET prediction = '7' WHERE task = 8")
    database.close()
    assert cache.count() == COUNT - 2
