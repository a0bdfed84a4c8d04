"""From an image's address to its content, wherever it is.

| address | who is asked | with the token |
|---|---|---|
| `/data/upload/…`, `/storage-data/…` | Label Studio | yes |
| `/data/local-files/?d=…` | this machine's folder, else Label Studio | yes |
| `s3://`, `gs://`, `azure-blob://` | S3 itself if set up, else Label Studio resolves it | yes |
| `http(s)://…` with one of these paths | our Label Studio, whatever the host | yes |
| any other `http(s)://…` | that host | no |
| `data:…` | nobody | |
"""

import base64
import binascii
import logging
import os
import stat
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote_to_bytes

from connectors.errors import FetchFailed, Unreachable
from connectors.http import HttpClient
from connectors.images.addresses import Address, Place, parse, server_path
from connectors.images.content import Limits, Received, check_not_empty, check_size, save
from connectors.images.download import Downloader, ServerDown

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Where a cache gets images from."""

    def address(self, uri: str) -> Address:
        """Raises FetchFailed for what can never be fetched."""
        ...

    def local(self, address: Address) -> Path | None:
        """The image's own file, where this machine has it; it is read in place.

        Raises:
            FetchFailed: when the file is there and cannot serve as an image.
        """
        ...

    def fetch(self, order: "Order", to: Path) -> Received | None:
        """Write the image to `to`; None when it did not change since `order.validator`.

        Raises:
            FetchFailed: this image cannot be had.
            Unreachable: Label Studio itself is gone.
            DiskFull: the image does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """One image to fetch, for the task through which Label Studio allows it.

    `validator` is that of an earlier `Received`; setting `cancelled` ends the fetch early.
    """

    address: Address
    task: int
    validator: str = ""
    cancelled: threading.Event | None = None


class BucketReader(Protocol):
    """Reads objects straight from their bucket, such as `connectors.images.s3.S3Storage`."""

    def fetch(self, uri: str, to: Path, limits: Limits, validator: str) -> Received | None:
        """Write the object to `to`; None when it did not change. Raises FetchFailed, DiskFull."""
        ...


class Storage:
    """Fetches images from all the places that tasks name. Safe for several threads.

    Files below `local_root` are read whatever project they belong to, as Label Studio serves
    that folder; links that lead out of it are not followed. `patience` is how many seconds a
    fetch waits for a Label Studio that went away.
    """

    def __init__(
        self,
        label_studio: HttpClient,
        *,
        limits: Limits | None = None,
        local_root: Path | None = None,
        s3: BucketReader | None = None,
        patience: float = 0.0,
    ) -> None:
        self._label_studio = label_studio
        self._limits = limits or Limits()
        self._downloader = Downloader(label_studio, self._limits)
        self._local_root = local_root.resolve() if local_root else None
        self._s3 = s3
        self._patience = patience

    def address(self, uri: str) -> Address:
        return parse(uri, self._label_studio.base_url)

    def local(self, address: Address) -> Path | None:
        """The file below `local_root`, if it is there and no link leads out.

        Raises:
            FetchFailed: when the file is empty or too large.
        """
        if self._local_root is None or address.place is not Place.LOCAL:
            return None
        try:
            path = Path(os.path.realpath(f"{self._local_root}/{address.at}", strict=True))
            status = path.stat()
        except OSError:
            return None
        inside = str(path).startswith(f"{self._local_root}{os.sep}")
        if not inside or not stat.S_ISREG(status.st_mode):
            return None
        with _named(address):
            check_not_empty(status.st_size)
            check_size(status.st_size, self._limits.size)
        return path

    def fetch(self, order: Order, to: Path) -> Received | None:
        with _named(order.address):
            return self._fetch(order, to)

    def close(self) -> None:
        self._downloader.close()

    def _fetch(self, order: Order, to: Path) -> Received | None:
        match order.address.place:
            case Place.INLINE:
                return self._decode(order.address.at, to)
            case Place.WEB:
                return self._download(order, order.address.at, to, signed=False)
            case Place.CLOUD if self._s3 and order.address.at.startswith("s3://"):
                return self._from_s3(self._s3, order, to)
            case _:
                return self._from_label_studio(order, to)

    def _from_s3(self, s3: BucketReader, order: Order, to: Path) -> Received | None:
        try:
            return s3.fetch(order.address.at, to, self._limits, order.validator)
        except FetchFailed as exc:
            _log.info("asking Label Studio for task %s instead: %s", order.task, exc.message)
            return self._from_label_studio(order, to)

    def _from_label_studio(self, order: Order, to: Path) -> Received | None:
        url = self._label_studio.url(server_path(order.address, order.task))
        ends = time.monotonic() + self._patience
        cancelled = order.cancelled or threading.Event()
        while True:
            try:
                return self._download(order, url, to, signed=True)
            except (ServerDown, Unreachable) as exc:
                if time.monotonic() + 1 > ends or cancelled.wait(1.0):
                    raise Unreachable(exc.message, exc.hint) from exc

    def _download(self, order: Order, url: str, to: Path, *, signed: bool) -> Received | None:
        return self._downloader.fetch(
            url, to, signed=signed, validator=order.validator, cancelled=order.cancelled
        )

    def _decode(self, uri: str, to: Path) -> Received:
        head, _, body = uri.partition(",")
        check_size(len(body) * 3 // 4, self._limits.size)
        try:
            coded = unquote_to_bytes(body)
            content = base64.b64decode(coded) if head.endswith(";base64") else coded
        except binascii.Error as exc:
            raise FetchFailed("its content is not valid base64", "Correct the task's data") from exc
        return save([content], to, self._limits.size)


@contextmanager
def _named(address: Address) -> Generator[None, None, None]:
    """Lets a failure say which image it is about."""
    try:
        yield
    except FetchFailed as exc:
        raise FetchFailed(f"{address}: {exc.message}", exc.hint) from exc
