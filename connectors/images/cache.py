"""Fetch images once: remember their digests, and keep their files while there is room.

A known image is trusted without a request: a local file while its modification time and size
stay the same; an upload and a `data:` address forever, because they cannot change; any other
address for a day, after which the server is asked whether the image changed. It is also asked if
the clock ran ahead when it last was. If that server is away, the known image is used. `path` trusts
what was last known, however old, and refuses a file with other content: what was computed and
checked by digest must not be mixed with another image.
"""

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from connectors.errors import FetchFailed, TransientError
from connectors.images.addresses import Address, Place
from connectors.images.content import Content, digest_of
from connectors.images.index import ImageIndex
from connectors.images.local_files import LinkedFolders, LocalFile, state
from connectors.images.object_store import ObjectStore
from connectors.images.storage import ImageRequest, Source

log = logging.getLogger(__name__)

TRUSTED_SECONDS: Final = 86_400.0
_SKEW_SECONDS: Final = 60.0
"""By which the clocks of two machines may differ."""

_WINDOW: Final = 512
"""Addresses that are looked up in one query, and at most fetched ahead of the consumer."""

Item = tuple[int, str]
"""A task and the address of its image."""

Slot = Content | FetchFailed
"""The content of an image, or why it cannot be fetched."""


@dataclass(frozen=True, slots=True)
class _Image:
    """An address with its key in the index, and its own file if this machine has it."""

    address: Address
    key: bytes
    local: LocalFile | None


class ImageCache:
    """Images by address, kept in `root` up to `max_bytes`, fetched by `workers` threads.

    Safe for several threads and processes, but do not carry it over a fork. Failures are not
    remembered: the next call tries again.
    """

    def __init__(
        self,
        root: Path,
        storage: Source,
        *,
        max_bytes: int,
        workers: int,
        clock: Callable[[], float] = time.time,
        journal: str = "WAL",
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._storage = storage
        self._workers = workers
        self._clock = clock
        self._index = ImageIndex(root / "index.sqlite", clock, journal)
        self._objects = ObjectStore(root, self._index, max_bytes)
        self._locks: WeakValueDictionary[bytes, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def digests(self, items: Sequence[Item]) -> Generator[Slot, None, None]:
        """Yield one slot for each image, in order. Close the generator to stop early.

        Raises:
            DiskFull: when fetched images cannot be stored.
            Unreachable, Denied: when Label Studio is away, or does not renew the token.
        """
        cancelled = threading.Event()
        pool = ThreadPoolExecutor(self._workers, "fetch")
        ahead: deque[Slot | Future[Slot]] = deque()
        try:
            for start in range(0, len(items), _WINDOW):
                for slot in self._slots(items[start : start + _WINDOW], pool, cancelled):
                    ahead.append(slot)
                    while ahead and (len(ahead) >= _WINDOW or _is_done(ahead[0])):
                        yield _result(ahead.popleft())
            while ahead:
                yield _result(ahead.popleft())
        finally:
            cancelled.set()
            pool.shutdown(cancel_futures=True)

    def known(self, items: Sequence[Item]) -> list[str | None]:
        """Return the digest of each image that is trusted without a request, else None.

        Raises:
            DiskFull: when the index cannot be read for lack of room.
        """
        return [
            content.digest if content else None
            for start in range(0, len(items), _WINDOW)
            for _, content in self._looked_up(items[start : start + _WINDOW])
        ]

    def path(self, task: int, uri: str) -> Path:
        """Return the image's file, fetched again if it was evicted.

        The file stays at least until as many bytes as the cache holds were used after it.

        Raises:
            FetchFailed: when this image cannot be fetched, or changed since `digests` read it.
            DiskFull, Unreachable, Denied: when no image can.
        """
        image = self._image(task, uri, {})
        with self._locked(image.key):
            known = self._index.known([image.key]).get(image.key)
            if image.local and known and self._is_fresh(image, known):
                return Path(image.local.path)
            if known and (kept := self._objects.find(known.digest, known.size)):
                return kept
            request = ImageRequest(image.address, task)
            content = self._read(image.local) if image.local else self._download(request)
            self._require_same(image, known, content)
            self._index.learn(image.key, content)
            return Path(image.local.path) if image.local else self._objects.place(content.digest)

    def close(self) -> None:
        self._index.close()

    def _require_same(self, image: _Image, known: Content | None, content: Content) -> None:
        """Refuse other content than is known; the next call of `digests` reads it anew."""
        if known is None or content.digest == known.digest:
            return
        self._index.learn(image.key, replace(known, checked=0.0, validator=""))
        raise FetchFailed("the image changed while it was in use", "Start the job again")

    def _slots(
        self, items: Sequence[Item], pool: ThreadPoolExecutor, cancelled: threading.Event
    ) -> Iterator[Slot | Future[Slot]]:
        """Yield known images and failures at once; the others are being fetched by the pool."""
        for (task, _), (image, content) in zip(items, self._looked_up(items), strict=True):
            if isinstance(image, FetchFailed):
                yield image
            elif content:
                yield content
            else:
                request = ImageRequest(image.address, task, cancelled=cancelled)
                yield pool.submit(self._fetch, image, request)

    def _looked_up(
        self, items: Sequence[Item]
    ) -> Iterator[tuple[_Image | FetchFailed, Content | None]]:
        """Yield each image or why it can never be fetched, and its content if that is fresh."""
        folders: LinkedFolders = {}
        images = [self._image_or_failure(task, uri, folders) for task, uri in items]
        known = self._index.known([one.key for one in images if isinstance(one, _Image)])
        for image in images:
            if isinstance(image, FetchFailed):
                yield image, None
            else:
                content = known.get(image.key)
                yield image, content if content and self._is_fresh(image, content) else None

    def _image(self, task: int, uri: str, folders: LinkedFolders) -> _Image:
        address = self._storage.address(uri)
        return _Image(address, _key(address, task), self._storage.local(address, folders))

    def _image_or_failure(
        self, task: int, uri: str, folders: LinkedFolders
    ) -> _Image | FetchFailed:
        try:
            return self._image(task, uri, folders)
        except FetchFailed as exc:
            return exc

    def _fetch(self, image: _Image, request: ImageRequest) -> Slot:
        """Read an image that is not fresh; a thread that waited for the lock finds it fresh."""
        with self._locked(image.key):
            known = self._index.known([image.key]).get(image.key)
            if known and self._is_fresh(image, known):
                return known
            try:
                content = self._read(image.local) if image.local else self._update(request, known)
            except FetchFailed as exc:
                return exc
            self._index.learn(image.key, content)
            return content

    def _is_fresh(self, image: _Image, known: Content) -> bool:
        """Return whether the known content can be trusted without a request."""
        if image.local:
            return known.validator == image.local.state
        if image.address.is_constant:
            return known.checked > 0
        return -_SKEW_SECONDS < self._clock() - known.checked < TRUSTED_SECONDS

    def _read(self, local: LocalFile) -> Content:
        path = Path(local.path)
        try:
            before = state(path.stat())
            return Content(digest_of(path), path.stat().st_size, before, self._clock())
        except OSError as exc:
            raise FetchFailed(
                f"{path} cannot be read ({exc.strerror})", "May this user read the file?"
            ) from exc

    def _update(self, request: ImageRequest, known: Content | None) -> Content:
        """Download an image, unless the server says it did not change, or is away."""
        if known is None:
            return self._download(request)
        try:
            return self._download(replace(request, validator=known.validator, waits=False), known)
        except TransientError as exc:
            log.info("task %s: using the known image: %s", request.task, exc)
            return known

    def _download(self, request: ImageRequest, known: Content | None = None) -> Content:
        """Download an image into the cache; `known` is returned if it did not change."""
        with self._objects.incoming() as part:
            content = self._storage.fetch(request, part)
            if content is None:
                assert known, "only a known image can be unchanged"
                return replace(known, checked=self._clock())
            self._objects.keep(part, content)
        return replace(content, checked=self._clock())

    @contextmanager
    def _locked(self, key: bytes) -> Generator[None, None, None]:
        """Hold the lock of one key among the threads of this process."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield


def _key(address: Address, task: int) -> bytes:
    """Return a digest, because an address may contain a signature or a whole image.

    An object in a bucket is known per task: which task may show it depends on its project.
    """
    whose = f" {task}" if address.place is Place.CLOUD else ""
    name = f"{address.place} {address.at}{whose}"
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def _is_done(slot: Slot | Future[Slot]) -> bool:
    return slot.done() if isinstance(slot, Future) else True


def _result(slot: Slot | Future[Slot]) -> Slot:
    return slot.result() if isinstance(slot, Future) else slot
