import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.errors import DiskFull, FetchFailed, TransientError, Unreachable
from connectors.images.cache import TRUSTED_SECONDS, ImageCache, Slot
from connectors.images.content import Content
from connectors.images.storage import ImageRequest
from tests.fakes.image_source import FakeSource

NOON = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def cache_of(
    root: Path, source: FakeSource, max_bytes: int = 10_000_000, clock: Clock | None = None
) -> ImageCache:
    return ImageCache(root, source, max_bytes=max_bytes, workers=4, clock=clock or Clock())


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def seen(slots: Iterable[Slot]) -> list[str | None]:
    """The digest of each slot, None for a failure."""
    return [slot.digest if isinstance(slot, Content) else None for slot in slots]


def web(number: int) -> str:
    return f"http://images.example/{number}.jpg"


def many(count: int) -> tuple[FakeSource, list[tuple[int, str]]]:
    source = FakeSource({web(number): f"image {number}".encode() for number in range(count)})
    return source, [(number, web(number)) for number in range(count)]


# --- digests -----------------------------------------------------------------------------------


def test_digests_come_in_order_and_failures_fill_their_slot(tmp_path: Path) -> None:
    source = FakeSource({web(1): b"one", web(3): b"three"})
    items = [(1, web(1)), (2, web(2)), (3, web(3)), (4, "no address")]
    first, second, third, fourth = cache_of(tmp_path, source).digests(items)
    assert seen([first, third]) == [digest(b"one"), digest(b"three")]
    assert isinstance(second, FetchFailed) and second.message == f"there is no {web(2)}"
    assert isinstance(fourth, FetchFailed) and "no address" in fourth.message


def test_what_is_known_is_not_fetched_again_even_by_another_process(tmp_path: Path) -> None:
    source, items = many(600)  # more than one query of the index holds
    first = list(cache_of(tmp_path, source).digests(items))
    assert len(source.fetched) == 600
    assert list(cache_of(tmp_path, source).digests(items)) == first
    assert len(source.fetched) == 600


def test_a_failure_is_tried_again_next_time(tmp_path: Path) -> None:
    source = FakeSource({})
    cache = cache_of(tmp_path, source)
    assert seen(cache.digests([(1, web(1))])) == [None]
    source.contents[web(1)] = b"one"
    assert seen(cache.digests([(1, web(1))])) == [digest(b"one")]


def test_a_day_later_the_server_is_asked_only_whether_it_changed(tmp_path: Path) -> None:
    source, items = many(2)
    clock = Clock()
    cache = cache_of(tmp_path, source, clock=clock)
    list(cache.digests(items))
    source.contents[web(1)] = b"changed"
    assert seen(cache.digests(items)) == [digest(b"image 0"), digest(b"image 1")]
    clock.now += TRUSTED_SECONDS
    assert seen(cache.digests(items)) == [digest(b"image 0"), digest(b"changed")]
    assert source.unchanged == [web(0)]
    assert cache.path(1, web(1)).read_bytes() == b"changed"
    list(cache.digests(items))
    assert len(source.fetched) == 4


def test_an_image_whose_server_is_away_a_day_later_keeps_its_known_digest(tmp_path: Path) -> None:
    source, items = many(2)
    clock = Clock()
    cache = cache_of(tmp_path, source, clock=clock)
    first = seen(cache.digests(items))
    clock.now += TRUSTED_SECONDS
    source.error = TransientError("503")
    assert seen(cache.digests(items)) == first
    assert cache.path(0, web(0)).read_bytes() == b"image 0"
    source.error = FetchFailed("404")
    assert seen(cache.digests(items)) == [None, None]


def test_an_upload_is_trusted_for_ever(tmp_path: Path) -> None:
    upload = "/data/upload/1/a.jpg"
    source = FakeSource({upload: b"one"})
    clock = Clock()
    cache = cache_of(tmp_path, source, clock=clock)
    list(cache.digests([(1, upload)]))
    clock.now += 1000 * TRUSTED_SECONDS
    list(cache.digests([(1, upload)]))
    assert source.fetched == [upload]


def test_known_are_the_digests_that_take_no_request(tmp_path: Path, local_root: Path) -> None:
    upload = "/data/upload/1/a.jpg"
    source = FakeSource({web(1): b"one", upload: b"two"}, local_root)
    clock = Clock()
    cache = cache_of(tmp_path / "cache", source, clock=clock)
    items = [(1, web(1)), (2, upload), (3, LOCAL), (4, "no address"), (5, web(5))]
    assert cache.known(items) == [None] * 5
    first = seen(cache.digests(items))
    asked = len(source.fetched)
    assert cache.known([*items, (6, LOCAL)]) == [*first, first[2]]
    clock.now += TRUSTED_SECONDS
    assert cache.known(items) == [None, *first[1:]]
    os.utime(local_root / "1.jpg", ns=(0, 12345))
    assert cache.known(items) == [None, first[1], None, None, None]
    (local_root / "1.jpg").unlink()
    assert cache.known([(3, LOCAL)] * 600) == [None] * 600
    assert len(source.fetched) == asked


def test_one_address_is_fetched_once_however_many_ask_at_once(tmp_path: Path) -> None:
    source = FakeSource({web(1): b"one"})
    source.gate.clear()
    cache = cache_of(tmp_path, source)
    with ThreadPoolExecutor(8) as pool:
        asks = [pool.submit(list, cache.digests([(1, web(1)), (2, web(1))])) for _ in range(4)]
        paths = [pool.submit(cache.path, 3, web(1)) for _ in range(4)]
        source.gate.set()
        assert {one for ask in asks for one in seen(ask.result())} == {digest(b"one")}
        assert {path.result().read_bytes() for path in paths} == {b"one"}
    assert source.fetched == [web(1)]


@pytest.mark.timeout(50)
def test_a_consumer_that_stops_early_leaves_no_thread_and_no_file_behind(tmp_path: Path) -> None:
    class Stuck(FakeSource):
        def fetch(self, request: ImageRequest, to: Path) -> Content | None:
            if request.address.at == web(0):
                assert stuck.acquire(timeout=40)
                return super().fetch(request, to)
            assert request.cancelled
            stuck.release()
            request.cancelled.wait(60)
            raise FetchFailed("cancelled")

    stuck = threading.Semaphore(0)
    before = set(threading.enumerate())
    digests = cache_of(tmp_path, Stuck({web(0): b"one"})).digests(many(5000)[1])
    assert seen([next(digests)]) == [digest(b"one")]
    digests.close()
    assert set(threading.enumerate()) <= before
    assert not list((tmp_path / "incoming").iterdir())


def test_fetching_runs_ahead_of_the_consumer_only_so_far(tmp_path: Path) -> None:
    source, items = many(3000)
    digests = cache_of(tmp_path, source).digests(items)
    for _ in range(10):
        next(digests)
    _wait_until_still(lambda: len(source.fetched))
    assert len(source.fetched) <= 10 + 2 * 512
    digests.close()


@pytest.mark.parametrize("error", [DiskFull("full"), Unreachable("gone")])
def test_what_concerns_all_images_ends_the_walk(tmp_path: Path, error: Exception) -> None:
    class Broken(FakeSource):
        def fetch(self, request: ImageRequest, to: Path) -> None:
            raise error

    with pytest.raises(type(error)):
        list(cache_of(tmp_path, Broken({})).digests([(1, web(1))]))


# --- local files -------------------------------------------------------------------------------


@pytest.fixture
def local_root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "local"
    root.mkdir()
    (root / "1.jpg").write_bytes(b"one")
    yield root


LOCAL = "/data/local-files/?d=1.jpg"


def test_local_files_are_read_in_place_and_read_again_when_they_change(
    tmp_path: Path, local_root: Path
) -> None:
    cache = cache_of(tmp_path / "cache", FakeSource({}, local_root))
    assert seen(cache.digests([(1, LOCAL)])) == [digest(b"one")]
    assert cache.path(1, LOCAL) == local_root / "1.jpg"
    (local_root / "1.jpg").write_bytes(b"two")
    os.utime(local_root / "1.jpg", ns=(0, 12345))
    assert seen(cache.digests([(1, LOCAL)])) == [digest(b"two")]
    assert not (tmp_path / "cache" / "objects").exists()


def test_an_unchanged_local_file_is_not_read(tmp_path: Path, local_root: Path) -> None:
    cache = cache_of(tmp_path / "cache", FakeSource({}, local_root))
    list(cache.digests([(1, LOCAL)]))
    status = (local_root / "1.jpg").stat()
    (local_root / "1.jpg").write_bytes(b"two")
    os.utime(local_root / "1.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seen(cache.digests([(1, LOCAL)])) == [digest(b"one")]


def test_a_local_file_that_is_gone_says_so(tmp_path: Path, local_root: Path) -> None:
    cache = cache_of(tmp_path / "cache", FakeSource({}, local_root))
    list(cache.digests([(1, LOCAL)]))
    (local_root / "1.jpg").unlink()
    (gone,) = cache.digests([(1, LOCAL)])
    assert isinstance(gone, FetchFailed) and "cannot be read" in gone.message


def test_a_local_file_that_changed_since_it_was_read_is_refused_until_it_is_read_again(
    tmp_path: Path, local_root: Path
) -> None:
    cache = cache_of(tmp_path / "cache", FakeSource({}, local_root))
    list(cache.digests([(1, LOCAL)]))
    os.utime(local_root / "1.jpg", ns=(0, 12345))
    assert cache.path(1, LOCAL) == local_root / "1.jpg", "only its time changed"
    (local_root / "1.jpg").write_bytes(b"another image")
    for _ in range(2):
        with pytest.raises(FetchFailed, match="changed"):
            cache.path(1, LOCAL)
    list(cache.digests([(1, LOCAL)]))
    assert cache.path(1, LOCAL) == local_root / "1.jpg"


# --- files and room ----------------------------------------------------------------------------


def test_a_path_is_fetched_when_it_is_not_there_and_failures_are_raised(tmp_path: Path) -> None:
    source, _ = many(1)
    cache = cache_of(tmp_path, source)
    assert cache.path(0, web(0)).read_bytes() == b"image 0"
    assert cache.path(0, web(0)).read_bytes() == b"image 0"
    assert source.fetched == [web(0)]
    with pytest.raises(FetchFailed):
        cache.path(1, web(1))


@pytest.mark.parametrize("damage", [Path.unlink, Path.write_bytes])
def test_a_file_that_was_lost_or_cut_is_fetched_again(
    tmp_path: Path, damage: Callable[..., object]
) -> None:
    source, _ = many(1)
    cache = cache_of(tmp_path, source)
    path = cache.path(0, web(0))
    damage(path, *([b"imag"] if damage is Path.write_bytes else []))
    assert cache.path(0, web(0)).read_bytes() == b"image 0"


@pytest.mark.parametrize("uri", [web(1), "/data/upload/1/a.jpg"])
def test_other_content_than_was_read_is_refused_until_it_is_read_again(
    tmp_path: Path, uri: str
) -> None:
    source = FakeSource({uri: b"one"})
    cache = cache_of(tmp_path, source)
    list(cache.digests([(1, uri)]))
    cache.path(1, uri).unlink()
    source.contents[uri] = b"another"
    for _ in range(2):
        with pytest.raises(FetchFailed, match="changed"):
            cache.path(1, uri)
    assert seen(cache.digests([(1, uri)])) == [digest(b"another")]
    assert cache.path(1, uri).read_bytes() == b"another"


def test_the_longest_unused_go_first_and_the_size_stays_bounded(tmp_path: Path) -> None:
    contents = {web(n): bytes([n]) * 1000 for n in range(50)}
    source = FakeSource(contents)
    cache = cache_of(tmp_path, source, max_bytes=10_000)
    for number in range(50):
        cache.path(0, web(0))
        cache.path(number, web(number))
        assert _bytes_in(tmp_path / "objects") <= 10_000
    assert source.fetched.count(web(0)) == 1
    assert source.fetched.count(web(1)) == 1
    cache.path(1, web(1))
    assert source.fetched.count(web(1)) == 2


def test_digests_of_images_that_were_let_go_stay_known(tmp_path: Path) -> None:
    source, items = many(100)
    cache = cache_of(tmp_path, source, max_bytes=50)
    first = list(cache.digests(items))
    assert list(cache.digests(items)) == first
    assert len(source.fetched) == 100


def test_an_image_larger_than_the_cache_is_still_handed_out(tmp_path: Path) -> None:
    source = FakeSource({web(1): bytes(5000), web(2): b"two"})
    cache = cache_of(tmp_path, source, max_bytes=1000)
    assert cache.path(1, web(1)).stat().st_size == 5000
    assert cache.path(2, web(2)).read_bytes() == b"two"
    assert _bytes_in(tmp_path / "objects") <= 1000


def test_the_same_content_at_two_addresses_is_kept_once(tmp_path: Path) -> None:
    source = FakeSource({web(1): b"same", web(2): b"same"})
    cache = cache_of(tmp_path, source)
    assert cache.path(1, web(1)) == cache.path(2, web(2))
    assert _bytes_in(tmp_path / "objects") == 4


@pytest.mark.parametrize("name", ["index.sqlite", "index.sqlite-wal"])
def test_a_damaged_index_is_set_aside_and_the_images_are_fetched_again(
    tmp_path: Path, name: str
) -> None:
    source, items = many(3)
    cache = cache_of(tmp_path, source)
    first = seen(cache.digests(items))
    cache.close()
    (tmp_path / "index.sqlite").write_bytes(bytes(8192))
    (tmp_path / name).write_bytes(bytes(8192))
    assert seen(cache_of(tmp_path, source).digests(items)) == first
    assert (tmp_path / "damaged-index.sqlite").is_file()
    assert len(source.fetched) == 6


def test_damage_that_shows_while_the_index_is_used_is_set_aside_too(tmp_path: Path) -> None:
    source, items = many(300)
    cache = cache_of(tmp_path, source)
    first = seen(cache.digests(items))
    cache.close()
    index = tmp_path / "index.sqlite"
    whole = index.read_bytes()
    index.write_bytes(whole[:8192] + bytes(len(whole) - 8192))  # the schema is still there
    cache = cache_of(tmp_path, source)
    assert seen(cache.digests(items)) == first
    assert cache.path(1, web(1)).read_bytes() == b"image 1"
    assert (tmp_path / "damaged-index.sqlite").is_file()


def test_what_killed_processes_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "old").touch()
    (incoming / "new").touch()
    os.utime(incoming / "old", (0, 0))
    cache_of(tmp_path, FakeSource({}))
    assert [path.name for path in incoming.iterdir()] == ["new"]


def test_a_file_that_another_process_finishes_meanwhile_is_not_missed(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "listed but gone").symlink_to("nowhere")
    cache = cache_of(tmp_path, FakeSource({web(1): b"one"}))
    assert cache.path(1, web(1)).read_bytes() == b"one"


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _wait_until_still(count: Callable[[], int]) -> None:
    """Until nothing was counted for a while; ten seconds at most."""
    ends, last, since = time.monotonic() + 10, -1, time.monotonic()
    while time.monotonic() < ends and time.monotonic() - since < 0.2:
        if count() != last:
            last, since = count(), time.monotonic()
        threading.Event().wait(0.01)


def test_an_object_in_a_bucket_is_asked_for_by_each_task(tmp_path: Path) -> None:
    """Which of them may show it depends on its project."""
    source = FakeSource({"s3://pets/1.jpg": b"one"})
    cache = cache_of(tmp_path, source)
    for _ in range(2):
        list(cache.digests([(1, "s3://pets/1.jpg"), (2, "s3://pets/1.jpg")]))
    assert len(source.fetched) == 2


# --- a clock that ran ahead ----------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 30])
def test_an_image_checked_in_the_future_is_checked_again(tmp_path: Path, days: int) -> None:
    source = FakeSource({web(1): b"one"})
    clock = Clock()
    clock.now += days * 86_400
    cache = cache_of(tmp_path, source, clock=clock)
    list(cache.digests([(1, web(1))]))
    clock.now = NOON
    list(cache.digests([(1, web(1))]))
    list(cache.digests([(1, web(1))]))
    assert len(source.fetched) == 2


def test_images_used_in_the_future_are_evicted_first(tmp_path: Path) -> None:
    source = FakeSource({web(number): bytes([number]) * 1000 for number in range(12)})
    clock = Clock()
    clock.now += 30 * 86_400
    cache = cache_of(tmp_path, source, max_bytes=10_000, clock=clock)
    for number in range(6):
        cache.path(number, web(number))
    clock.now = NOON
    newest = [cache.path(number, web(number)) for number in range(6, 12)]
    assert all(path.is_file() for path in newest)
