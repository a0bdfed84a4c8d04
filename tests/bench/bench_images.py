"""How quickly images become digests, against bare requests for the same files.

Run with `python -m tests.bench.bench_images`. The server is a process of its own; `delay` is how
long it thinks about each request, as one across a network would.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from connectors.http import HttpClient
from connectors.images.cache import ImageCache
from connectors.images.content import Limits
from connectors.images.storage import Storage
from tests.fakes.image_server import Handler, answer, image_server

IMAGES, SIZE, WORKERS = 1000, 60_000, 8


def main() -> None:
    for delay in (0.0, 0.005):
        with tempfile.TemporaryDirectory() as folder:
            _remote(Path(folder), delay)
    with tempfile.TemporaryDirectory() as folder:
        _local(Path(folder))


def _remote(folder: Path, delay: float) -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, delay))
    server.start()
    base = f"http://127.0.0.1:{ours.recv()}"
    items = [(n, f"/data/upload/1/{n}.jpg") for n in range(IMAGES)]
    with httpx.Client() as client:
        bare = _seconds(lambda: [client.get(base + uri).content for _, uri in items])
    storage = Storage(HttpClient(base), limits=Limits())
    cache = ImageCache(folder, storage, max_bytes=10**10, workers=WORKERS)
    fetched = _seconds(lambda: list(cache.digests(items)))
    print(f"remote, server thinks {delay * 1000:.0f} ms, {IMAGES} images of {SIZE // 1000} kB:")
    print(f"  bare sequential requests {IMAGES / bare:7.0f} images/s")
    print(f"  fetched, {WORKERS} workers       {IMAGES / fetched:7.0f} images/s", end="")
    print(f"  ratio {bare / fetched:.2f}")
    _known(cache, [(n, items[n % IMAGES][1]) for n in range(5000)])
    paths = _seconds(lambda: [cache.path(task, uri) for task, uri in items])
    print(f"  paths of kept files      {IMAGES / paths:7.0f} images/s")
    ours.send("end")
    server.join()


def _local(folder: Path) -> None:
    (folder / "files").mkdir()
    for number in range(5000):
        (folder / "files" / f"{number}.jpg").write_bytes(os.urandom(SIZE))
    items = [(n, f"/data/local-files/?d=files/{n}.jpg") for n in range(5000)]
    bare = _seconds(lambda: [(folder / "files" / f"{n}.jpg").read_bytes() for n in range(5000)])
    storage = Storage(HttpClient("http://127.0.0.1:1"), local_root=folder)
    cache = ImageCache(folder / "cache", storage, max_bytes=10**10, workers=WORKERS)
    read = _seconds(lambda: list(cache.digests(items)))
    print(f"local files: bare reading {5000 / bare:.0f}, digests {5000 / read:.0f} images/s")
    _known(cache, items)


def _known(cache: ImageCache, items: list[tuple[int, str]]) -> None:
    seconds = _seconds(lambda: list(cache.digests(items)))
    print(f"  {len(items)} known in          {seconds:7.3f} s")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _serve(pipe: Connection, delay: float) -> None:
    body = os.urandom(SIZE)

    def route(handler: Handler) -> None:
        time.sleep(delay)
        answer(200, handler.path.encode() + body)(handler)

    with image_server() as server:
        server.routes.update({f"/data/upload/1/{n}.jpg": route for n in range(IMAGES)})
        pipe.send(server.port)
        pipe.recv()


if __name__ == "__main__":
    main()
