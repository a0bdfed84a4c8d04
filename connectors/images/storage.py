"""Fetch the content of an image from wherever its address points.

| address | where it is fetched | with the token |
|---|---|---|
| `/data/upload/…` | this machine's folder, else Label Studio | yes |
| `/storage-data/…` | Label Studio | yes |
| `/data/local-files/?d=…` | this machine's folder, else Label Studio | yes |
| `s3://` in a bucket that is named for it | S3 itself, else Label Studio resolves it | yes |
| `s3://`, `gs://`, `azure-blob://` | Label Studio resolves it, if it may | yes |
| `http(s)://…` with one of these paths, on a host of Label Studio | Label Studio | yes |
| one of these paths behind the one under which Label Studio is published | Label Studio | yes |
| any other `http(s)://…` | that host | no |
| `data:…` | nowhere: the address holds the content | |
| a long `data:…`, left out of the list of tasks | Label Studio, from the task's data | yes |
"""

import base64
import binascii
import logging
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

from connectors.errors import ConnectorError, FetchFailed, TransientError, Unreachable
from connectors.http import HttpClient
from connectors.images import local_files
from connectors.images.addresses import Address, Place, file_path, likely_base, parse, server_path
from connectors.images.content import Content, Limits, check_not_empty, check_size, save
from connectors.images.download import Downloader, ServerDown
from connectors.images.local_files import LinkedFolders, LocalFile
from connectors.images.network import Deadline
from connectors.images.task_content import long_address, project_of
from connectors.retry import with_retries

log = logging.getLogger(__name__)

_PAUSE_WHILE_DOWN: Final = 1.0


class Source(Protocol):
    """What `ImageCache` fetches images from."""

    def address(self, uri: str) -> Address:
        """Parse an address. Raises FetchFailed if it can never be fetched."""
        ...

    def local(self, address: Address, folders: LinkedFolders) -> LocalFile | None:
        """Return the image's file if it is on this machine, to be read in place.

        Give the same `folders` for many images, at first empty.

        Raises:
            FetchFailed: when the file is empty or too large.
        """
        ...

    def fetch(self, request: "ImageRequest", to: Path) -> Content | None:
        """Write the image to `to`; return None when it did not change since the validator.

        Raises:
            FetchFailed: when this image cannot be fetched; TransientError if it may be later.
            Unreachable: when Label Studio itself is away.
            DiskFull: when the image does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image to fetch; Label Studio grants access to it through the task.

    `validator` is that of the known `Content`. Set `cancelled` to end the fetch early. `waits` is
    False for an image that is known already: it need not wait for a host that is away.
    """

    address: Address
    task: int
    validator: str = ""
    cancelled: threading.Event | None = None
    waits: bool = True


class BucketReader(Protocol):
    """Reads objects straight from their bucket, such as `connectors.images.s3.S3Storage`."""

    def covers(self, uri: str) -> bool:
        """Whether an address is one that may be read straight."""
        ...

    def fetch(self, uri: str, to: Path, limits: Limits, validator: str) -> Content | None:
        """Write the object to `to`; return None when it did not change.

        Raises FetchFailed and DiskFull.
        """
        ...


TaskData = Callable[[int, int], Mapping[str, object]]
"""Returns the data of a task, by project and number; empty if there is none."""


class Storage:
    """Fetches images from all kinds of addresses. Safe for several threads.

    Files below `local_root`, Label Studio's folder of local files, and `media_root`, its folder of
    uploads, are read for all projects, as Label Studio serves these folders to all; symbolic links
    that lead out of them are not followed. `names` are further addresses of Label Studio. A fetch
    waits up to `patience` seconds for a Label Studio or an image host that is away. `task_data`
    returns the data of a project's task.
    """

    def __init__(
        self,
        label_studio: HttpClient,
        *,
        limits: Limits | None = None,
        local_root: Path | None = None,
        media_root: Path | None = None,
        names: Collection[str] = (),
        s3: BucketReader | None = None,
        patience: float = 0.0,
        task_data: TaskData = lambda _project, _task: {},
    ) -> None:
        self._label_studio = label_studio
        self._limits = limits or Limits()
        self._downloader = Downloader(label_studio, self._limits, patience=patience)
        self._names = tuple(names)
        self._roots = {
            place: str(root.resolve())
            for place, root in ((Place.LOCAL, local_root), (Place.UPLOAD, media_root))
            if root
        }
        self._s3 = s3
        self._task_data = task_data
        self._patience = patience

    def address(self, uri: str) -> Address:
        return parse(uri, self._label_studio.base_url, self._names)

    def local(self, address: Address, folders: LinkedFolders) -> LocalFile | None:
        """Return the file on this machine, if it exists and no link leads out of its folder.

        Raises:
            FetchFailed: when the file is empty or too large.
        """
        root = self._roots.get(address.place)
        if root is None:
            return None
        file = local_files.find(root, file_path(address), folders)
        if file:
            try:
                check_not_empty(file.size)
                check_size(file.size, self._limits.size)
            except FetchFailed as exc:
                raise _named(exc, address) from exc
        return file

    def fetch(self, request: ImageRequest, to: Path) -> Content | None:
        with _naming(request.address):
            return self._fetch(request, to)

    def close(self) -> None:
        self._downloader.close()

    def _fetch(self, request: ImageRequest, to: Path) -> Content | None:
        match request.address.place:
            case Place.INLINE:
                return self._decode(request.address.at, to)
            case Place.TASK:
                return self._decode(self._in_task(request), to)
            case Place.WEB:
                return self._downloader.fetch(
                    request.address.at,
                    to,
                    signed=False,
                    validator=request.validator,
                    cancelled=request.cancelled,
                    waits=request.waits,
                )
            case Place.CLOUD if self._s3 and self._s3.covers(request.address.at):
                return self._from_s3(self._s3, request, to)
            case _:
                return self._from_label_studio(request, to)

    def _from_s3(self, s3: BucketReader, request: ImageRequest, to: Path) -> Content | None:
        try:
            return s3.fetch(request.address.at, to, self._limits, request.validator)
        except FetchFailed as exc:
            log.info("task %s: asking Label Studio instead of S3: %s", request.task, exc.message)
            return self._from_label_studio(request, to)

    def _from_label_studio(self, request: ImageRequest, to: Path) -> Content | None:
        url = self._label_studio.url(server_path(request.address, request.task))
        deadline = Deadline(self._patience, request.cancelled)

        def attempt() -> Content | None:
            return self._downloader.fetch(
                url, to, signed=True, validator=request.validator, cancelled=request.cancelled
            )

        try:
            return with_retries(attempt, _delay_while_down, deadline.pause)
        except ServerDown as exc:
            raise Unreachable(exc.message, exc.hint) from exc

    def _in_task(self, request: ImageRequest) -> str:
        project = project_of(request.address.at)
        return long_address(request.address.at, self._task_data(project, request.task))

    def _decode(self, uri: str, to: Path) -> Content:
        head, _, body = uri.partition(",")
        check_size(len(body) * 3 // 4, self._limits.size)
        try:
            coded = unquote_to_bytes(body)
            content = base64.b64decode(coded) if head.endswith(";base64") else coded
        except binascii.Error as exc:
            raise FetchFailed("its content is not valid base64", "Correct the task's data") from exc
        return save([content], to, self._limits.size)


def _delay_while_down(exc: ConnectorError, _attempts: int) -> float | None:
    if isinstance(exc, ServerDown):
        return max(exc.retry_after, _PAUSE_WHILE_DOWN)
    return _PAUSE_WHILE_DOWN if isinstance(exc, Unreachable) else None


@contextmanager
def _naming(address: Address) -> Generator[None, None, None]:
    """Put the address of the image in front of the message of a failure."""
    try:
        yield
    except FetchFailed as exc:
        raise _named(exc, address) from exc


def _named(exc: FetchFailed, address: Address) -> FetchFailed:
    hint = _hint(address, exc)
    if isinstance(exc, TransientError):
        return TransientError(exc.message, hint, exc.retry_after, image=str(address))
    return FetchFailed(exc.message, hint, image=str(address))


def _hint(address: Address, exc: FetchFailed) -> str:
    """Return the hint, with the setting to change where the web seems to be this Label Studio."""
    base = likely_base(address.at) if address.place is Place.WEB else ""
    if not base:
        return exc.hint
    return f"If {base} is this Label Studio, set LABEL_STUDIO_PUBLIC_URL to it. {exc.hint}"
