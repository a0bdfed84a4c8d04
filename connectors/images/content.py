"""The content of images on its way to the disk: counted, digested, never half there."""

import errno
import hashlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import DiskFull, FetchFailed

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_CHUNK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one image may take, attempts included, and how large it may be."""

    seconds: float = 30.0
    size: int = 64_000_000


@dataclass(frozen=True, slots=True)
class Received:
    """What was written: blake2b digest of 20 bytes in hexadecimal, size in bytes.

    `validator` is the header that asks the server "only if it changed", such as
    `If-None-Match: "abc"`; empty where the server offers none.
    """

    digest: str
    size: int
    validator: str = ""


def save(chunks: Iterable[bytes], to: Path, most: int) -> Received:
    """Write chunks to a file that only the caller knows of; it is gone if anything fails.

    Raises:
        FetchFailed: when there are more than `most` bytes, or none.
        DiskFull: when they do not fit.
    """
    digest, size = _hasher(), 0
    try:
        with disk_full_named(to), to.open("wb", buffering=0) as file:
            for chunk in chunks:
                size += len(chunk)
                check_size(size, most)
                digest.update(chunk)
                file.write(chunk)
        check_not_empty(size)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return Received(digest.hexdigest(), size)


def digest_of(path: Path) -> str:
    """The digest that `save` would give to this content."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, _hasher).hexdigest()


def check_size(size: int, most: int) -> None:
    if size > most:
        raise FetchFailed(
            f"the file is larger than {most / 1e6:.0f} MB",
            "Shrink it, or raise AUTOLABEL_MAX_IMAGE_MEGABYTES",
        )


def check_not_empty(size: int) -> None:
    if not size:
        raise FetchFailed("the file is empty", "Put the image there again")


@contextmanager
def disk_full_named(path: Path) -> Generator[None, None, None]:
    """Says which disk is full when one is."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in _FULL:
            raise
        raise DiskFull(
            f"the disk of {path.parent} is full",
            "Free some space, or lower AUTOLABEL_IMAGE_CACHE_GIGABYTES",
        ) from exc


def _hasher() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=20)
