"""Files that are either whole or not there, whatever happens meanwhile."""

import errno
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from backend.domain.errors import OutOfSpace


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path`; a reader sees the old content or the new one, never a part.

    Raises:
        OutOfSpace: with the old content still in place.
    """
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file, or the entries of a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def room_for(path: Path) -> Generator[None]:
    """Name a full disk as what it is.

    Raises:
        OutOfSpace: naming `path`.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise OutOfSpace(
            f"the disk is full: cannot write {path}",
            "Free some space, or move AUTOLABEL_DATA_DIR to a larger disk",
        ) from exc
