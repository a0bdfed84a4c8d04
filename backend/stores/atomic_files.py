"""Write files that are complete or absent, even after a crash or a power cut."""

import errno
import os
import re
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.domain.errors import OutOfSpace, Unavailable

_DRAFT = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names of drafts: `.NAME.` and what `mkstemp` adds."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace the content of a file; readers see the old or the new content, never a mixture.

    When this returns, the new content survives a power cut.

    Raises:
        OutOfSpace: with the old content still in place.
    """
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
            sync(path.parent)
        finally:
            Path(draft).unlink(missing_ok=True)


def sweep_drafts(data_dir: Path, *, older_than: float) -> None:
    """Delete drafts of `write_whole` that killed processes left in the folders of projects.

    Args:
        data_dir: the data folder.
        older_than: seconds; a younger draft may be in use.
    """
    for pattern in ("projects/*/.*", "projects/*/jobs/*/.*"):
        for path in data_dir.glob(pattern):
            with suppress(OSError):  # renamed meanwhile
                age = time.time() - path.stat().st_mtime
                is_old = abs(age) > older_than  # a file of the future is old: the clock ran ahead
                if is_old and _DRAFT.fullmatch(path.name) and path.is_file():
                    path.unlink()


def require_writable(folder: Path) -> None:
    """Check that this user can write into a folder, which is made if it is missing.

    Raises:
        Unavailable: naming the user, which a container may run under at random.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"can be written")
    except OSError as exc:
        raise Unavailable(
            f"{folder} cannot be written by user {os.getuid()}: {exc.strerror}",
            "Make it writable for this user or one of its groups (chgrp -R 0, chmod -R g=u), or set"
            " AUTOLABEL_DATA_DIR to another folder",
        ) from exc


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def room_for(path: Path) -> Generator[None]:
    """Turn "no space left" and "quota exceeded" into OutOfSpace.

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
