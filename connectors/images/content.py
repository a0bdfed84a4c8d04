"""The content of an image on its way to the disk: counted, hashed and written."""

import errno
import hashlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import DiskFull, FetchFailed

_DISK_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one image: seconds to fetch it, retries included, and bytes.

    `web_pages` allows HTML, which is no image: a server sends it in place of one to say no.
    """

    seconds: float = 30.0
    size: int = 64_000_000
    web_pages: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """The content that an address led to when it was last read.

    `digest` is a blake2b digest of 20 bytes in hexadecimal, `size` is in bytes. `validator`
    detects a change: for a remote image a request header such as `If-None-Match: "abc"`, or ""
    if the server offers none; for a local file its modification time and size. `checked` is when
    the address was last read, in seconds since 1970.
    """

    digest: str
    size: int
    validator: str = ""
    checked: float = 0.0


def save(chunks: Iterable[bytes], to: Path, max_bytes: int) -> Content:
    """Write chunks to a new file, which is removed again if anything fails.

    Raises:
        FetchFailed: when there are more than `max_bytes` bytes, or none.
        DiskFull: when they do not fit.
    """
    digest, size = _hasher(), 0
    try:
        with disk_full_reported(to), to.open("wb", buffering=0) as file:
            for chunk in chunks:
                size += len(chunk)
                check_size(size, max_bytes)
                digest.update(chunk)
                file.write(chunk)
        check_not_empty(size)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return Content(digest.hexdigest(), size)


def digest_of(path: Path) -> str:
    """Return the digest of a file, equal to the one that `save` returns for the same bytes."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, _hasher).hexdigest()


def check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise FetchFailed(
            f"the file is larger than {max_bytes / 1e6:.0f} MB",
            "Shrink it, or raise AUTOLABEL_MAX_IMAGE_MEGABYTES",
        )


def check_not_empty(size: int) -> None:
    if not size:
        raise FetchFailed("the file is empty", "Replace it, or correct the task's data")


@contextmanager
def disk_full_reported(path: Path) -> Generator[None, None, None]:
    """Turn "no space left" and "quota exceeded" into DiskFull, naming the folder."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in _DISK_FULL:
            raise
        raise DiskFull(
            f"the disk of {path.parent} is full",
            "Free some space, or lower AUTOLABEL_IMAGE_CACHE_GIGABYTES",
        ) from exc


def _hasher() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=20)
