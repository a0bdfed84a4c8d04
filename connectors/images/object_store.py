"""Store files by the digest of their content, in a folder of limited size."""

import logging
import os
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from connectors.images.content import Content, disk_full_reported
from connectors.images.index import ImageIndex

log = logging.getLogger(__name__)

_ABANDONED: Final = 3600.0
"""Seconds after which an unfinished file was left by a process that died."""

_SPARE: Final = 0.1
"""Share of the size that is freed at once, so that not every new file evicts another."""


class ObjectStore:
    """Files at `objects/ab/<digest>`; the least recently used are evicted beyond `max_bytes`.

    Files appear by renaming, complete or not at all, so several processes may share the folder
    and any of them may be killed.
    """

    def __init__(self, root: Path, index: ImageIndex, max_bytes: int) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._index = index
        self._max_bytes = max_bytes
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._sweep()

    @contextmanager
    def incoming(self) -> Generator[Path, None, None]:
        """Yield a path of its own to write to; the file is removed unless it was kept."""
        path = self._incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def place(self, digest: str) -> Path:
        """Return the path of an object, whether it is stored or not."""
        return self._objects / digest[:2] / digest

    def keep(self, file: Path, content: Content) -> None:
        """Move a written file to its place, and evict others if needed.

        The object is announced before the move, so that a kill leaves no file without a row, and
        again afterwards, because another process may have evicted it in between.
        """
        path = self.place(content.digest)
        self._index.announce(content.digest, content.size)
        with disk_full_reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file.replace(path)
        self._index.announce(content.digest, content.size)
        self._make_room(content.digest)

    def find(self, digest: str, size: int) -> Path | None:
        """Return the file of an object, marked as used now; None if it is missing or incomplete."""
        path = self.place(digest)
        if not self._index.touch(digest):
            return None
        try:
            return path if path.stat().st_size == size else None
        except FileNotFoundError:
            return None

    def _make_room(self, keep: str) -> None:
        if self._index.total() <= self._max_bytes:
            return
        target = int(self._max_bytes * (1 - _SPARE))
        freed = self._index.drop_least_used(
            target, keep, lambda digest: self.place(digest).unlink(missing_ok=True)
        )
        log.info("image cache: %d bytes freed", freed)

    def _sweep(self) -> None:
        """Remove old unfinished files; other processes may be writing new ones now."""
        with os.scandir(self._incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if abs(time.time() - entry.stat().st_mtime) > _ABANDONED:
                        Path(entry.path).unlink()
