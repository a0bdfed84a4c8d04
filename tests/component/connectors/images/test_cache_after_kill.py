import hashlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.images.cache import ImageCache
from connectors.images.content import Content
from tests.fakes.image_source import FakeSource

COUNT, SIZE, ROOM = 400, 20_000, 2_000_000
CHILD = """
import sys
from pathlib import Path
from tests.component.connectors.images.test_cache_after_kill import filled
filled(Path(sys.argv[1]), rounds=1000)
"""


def web(number: int) -> str:
    return f"http://images.example/{number}.jpg"


def content(number: int, turn: int = 0) -> bytes:
    return f"{turn} {number} ".encode().ljust(SIZE, b".")


def filled(root: Path, rounds: int) -> ImageCache:
    """A cache through which so many rounds of images went; only a quarter of one has room."""
    source = FakeSource({})
    cache = ImageCache(root, source, max_bytes=ROOM, workers=4)
    for turn in range(rounds):
        items = [(n, web(n) + f"?{turn}") for n in range(COUNT)]
        source.contents = {uri: content(n, turn) for n, uri in items}
        for fetched in cache.digests(items):
            assert isinstance(fetched, Content), fetched
    return cache


@pytest.mark.parametrize("images", [1, 60, 300, 1500])
def test_a_kill_at_any_moment_leaves_a_whole_cache(tmp_path: Path, images: int) -> None:
    objects = tmp_path / "objects"
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        _poll(lambda: _images_known(tmp_path) >= images)
    finally:
        for child in children:
            child.kill()
            _, complaint = child.communicate()
            assert child.returncode == -9, complaint.decode()

    assert not [path for path in objects.glob("*/*") if _digest(path.read_bytes()) != path.name]
    _check_books(tmp_path)
    filled(tmp_path, rounds=1)
    source = FakeSource({web(n) + "?0": content(n) for n in range(COUNT)})
    cache = ImageCache(tmp_path, source, max_bytes=ROOM, workers=4)
    for number in range(COUNT):
        assert cache.path(number, web(number) + "?0").read_bytes() == content(number)
    _check_books(tmp_path)
    assert sum(path.stat().st_size for path in objects.glob("*/*")) <= ROOM


def _check_books(root: Path) -> None:
    """Every file has its row, and the total is the sum of the rows."""
    index = sqlite3.connect(root / "index.sqlite")
    assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows = dict(index.execute("SELECT digest, size FROM objects"))
    assert {path.name for path in (root / "objects").glob("*/*")} <= rows.keys()
    assert index.execute("SELECT bytes FROM total").fetchone() == (sum(rows.values()),)


def _images_known(root: Path) -> int:
    try:
        index = sqlite3.connect(f"file:{root}/index.sqlite?mode=ro", uri=True)
        return index.execute("SELECT count(*) FROM images").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=20).hexdigest()


def _poll(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + 240
    while not done():
        assert time.monotonic() < ends, "the children wrote nothing"
        time.sleep(0.005)
