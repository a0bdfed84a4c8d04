"""Images fetched once: their digests at once, their files while there is room.

How long an answer is trusted: a local file while its time of change and its size stay; an upload
and a `data:` address for ever, because they never change; anything else for a day, after which
the server is asked whether it changed. `path` never asks: it hands out what `digests` last saw.
"""

import hashlib
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

from connectors.errors import FetchFailed
from connectors.images.addresses import Address
from connectors.images.content import digest_of
from connectors.images.index import ImageIndex, Known
from connectors.images.object_store import ObjectStore
from connectors.images.storage import Order, Source

TRUSTED_SECONDS: Final = 86_400.0
_AT_ONCE: Final = 512
"""How many addresses are looked up in one go, and at most fetched ahead of the consumer."""

Item = tuple[int, str]
"""A task and the address of its image."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One image: the digest of its content, or None and `reason`."""

    task: int
    uri: str
    digest: str | None
    reason: str = ""


class ImageCache:
    """Images by address, kept in `root` up to `max_bytes`, fetched by `workers` threads.

    Safe for several threads and processes. Build it after a fork, not before. Failures are not
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
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._storage = storage
        self._workers = workers
        self._clock = clock
        self._index = ImageIndex(root / "index.sqlite", clock)
        self._objects = ObjectStore(root, self._index, max_bytes)
        self._locks: WeakValueDictionary[bytes, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def digests(self, items: Sequence[Item]) -> Generator[Fetched, None, None]:
        """The digest of each image, in order; a consumer may stop early, with `close()`.

        What cannot be had says why in its place.

        Raises:
            DiskFull: when fetched images cannot be kept.
            Unreachable, Denied: when Label Studio is gone, or refuses to renew our token.
        """
        cancelled = threading.Event()
        pool = ThreadPoolExecutor(self._workers, "fetch")
        ahead: deque[Fetched | Future[Fetched]] = deque()
        try:
            for start in range(0, len(items), _AT_ONCE):
                for slot in self._slots(items[start : start + _AT_ONCE], pool, cancelled):
                    ahead.append(slot)
                    while ahead and (len(ahead) >= _AT_ONCE or _is_settled(ahead[0])):
                        yield _settled(ahead.popleft())
            while ahead:
                yield _settled(ahead.popleft())
        finally:
            cancelled.set()
            pool.shutdown(cancel_futures=True)

    def path(self, task: int, uri: str) -> Path:
        """The image's file, fetched again if the cache let it go.

        It stays at least until as many bytes as the cache holds were used after it.

        Raises:
            FetchFailed: this image cannot be had.
            DiskFull, Unreachable, Denied: no image can.
        """
        address = self._storage.address(uri)
        if local := self._storage.local(address):
            return local
        key = _key(address)
        with self._alone(key):
            known = self._index.known([key]).get(key)
            if known and (kept := self._objects.find(known.digest, known.size)):
                return kept
            known = self._downloaded(Order(address, task))
            self._index.learn(key, known)
            return self._objects.place(known.digest)

    def close(self) -> None:
        self._index.close()

    def _slots(
        self, items: Sequence[Item], pool: ThreadPoolExecutor, cancelled: threading.Event
    ) -> Iterator[Fetched | Future[Fetched]]:
        addresses = [self._address(uri) for _, uri in items]
        keys = [_key(address) for address in addresses if isinstance(address, Address)]
        known = self._index.known(keys)
        for (task, uri), address in zip(items, addresses, strict=True):
            if isinstance(address, FetchFailed):
                yield Fetched(task, uri, None, str(address))
            elif (found := known.get(_key(address))) and self._holds(address, found):
                yield Fetched(task, uri, found.digest)
            else:
                yield pool.submit(self._fetched, uri, Order(address, task, cancelled=cancelled))

    def _address(self, uri: str) -> Address | FetchFailed:
        try:
            return self._storage.address(uri)
        except FetchFailed as exc:
            return exc

    def _fetched(self, uri: str, order: Order) -> Fetched:
        try:
            return Fetched(order.task, uri, self._looked_at(order).digest)
        except FetchFailed as exc:
            return Fetched(order.task, uri, None, str(exc))

    def _looked_at(self, order: Order) -> Known:
        """What the address leads to now; one thread at a time asks for one address."""
        key = _key(order.address)
        with self._alone(key):
            known = self._index.known([key]).get(key)
            if known and self._holds(order.address, known):
                return known
            local = self._storage.local(order.address)
            known = self._read(local) if local else self._downloaded(order, known)
            self._index.learn(key, known)
            return known

    def _holds(self, address: Address, known: Known) -> bool:
        """Whether what is known may be trusted without asking anyone."""
        try:
            local = self._storage.local(address)
            if local:
                return known.validator == _state(local)
        except (FetchFailed, OSError):
            return False
        return address.is_constant or self._clock() - known.checked < TRUSTED_SECONDS

    def _read(self, local: Path) -> Known:
        try:
            state = _state(local)
            return Known(digest_of(local), local.stat().st_size, self._clock(), state)
        except OSError as exc:
            raise FetchFailed(
                f"{local} cannot be read ({exc.strerror})", "May this user read the file?"
            ) from exc

    def _downloaded(self, order: Order, known: Known | None = None) -> Known:
        """Fetch an image, or learn that it is still the known one."""
        with self._objects.incoming() as part:
            validator = known.validator if known else ""
            received = self._storage.fetch(replace(order, validator=validator), part)
            if received is None:
                assert known, "only a known image can be unchanged"
                return replace(known, checked=self._clock())
            self._objects.keep(part, received)
        return Known(received.digest, received.size, self._clock(), received.validator)

    @contextmanager
    def _alone(self, key: bytes) -> Generator[None, None, None]:
        """No other thread of this process is in here with the same key."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield


def _key(address: Address) -> bytes:
    """Short, and no secret: an address may be a signature or a whole image."""
    return hashlib.blake2b(f"{address.place} {address.at}".encode(), digest_size=16).digest()


def _state(path: Path) -> str:
    status = path.stat()
    return f"{status.st_mtime_ns} {status.st_size}"


def _is_settled(slot: Fetched | Future[Fetched]) -> bool:
    return isinstance(slot, Fetched) or slot.done()


def _settled(slot: Fetched | Future[Fetched]) -> Fetched:
    return slot if isinstance(slot, Fetched) else slot.result()
