"""Files named by their content, in a folder of bounded size."""

import logging
import os
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from connectors.images.content import Received, disk_full_named
from connectors.images.index import ImageIndex

_log = logging.getLogger(__name__)

_ABANDONED: Final = 3600.0
"""Seconds after which an unfinished file belongs to nobody."""

_SPARE: Final = 0.1
"""Share of the size that is freed at once, so that not every new file has to free its own."""


class ObjectStore:
    """Keeps files at `objects/ab/<digest>`; lets the longest unused go beyond `max_bytes`.

    A file appears whole or not at all, so several processes may share the folder and any of
    them may be killed.
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
        """A path to write to, for nobody else; what is not kept is removed."""
        path = self._incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def place(self, digest: str) -> Path:
        """Where the file of an object is, if it is kept."""
        return self._objects / digest[:2] / digest

    def keep(self, file: Path, received: Received) -> None:
        """Move a written file to its place, and make room if need be.

        It is announced before, so that no kill leaves a file that nobody counts, and after,
        because another process may have let it go in between.
        """
        path = self.place(received.digest)
        self._index.announce(received.digest, received.size)
        with disk_full_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file.replace(path)
        self._index.announce(received.digest, received.size)
        self._make_room(received.digest)

    def find(self, digest: str, size: int) -> Path | None:
        """The file of an object, if it is kept and whole; it counts as used now."""
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
        _log.info("image cache: %d bytes freed", freed)

    def _sweep(self) -> None:
        """Remove what killed processes left half written; others may be writing here now."""
        with os.scandir(self._incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < time.time() - _ABANDONED:
                        Path(entry.path).unlink()
