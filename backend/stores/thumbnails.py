"""Keep small copies of images for the review page, in a folder of bounded size."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId
from backend.ports.images import ImageFiles
from backend.stores.atomic_files import room_for

_MOST = 5000
"""Files in the folder, about 10 kB each; the oldest are deleted."""

_AT_ONCE = 4
"""Images decoded at the same time, so that other requests keep their threads and memory."""


class ThumbnailFolder:
    """Implements `ports.reviews.Thumbnails`.

    `files` opens the image cache; `write` writes a small JPEG of an image file to a path.
    """

    def __init__(
        self,
        folder: Path,
        files: Callable[[], ImageFiles],
        write: Callable[[Path, Path], None],
    ) -> None:
        self._folder = folder
        self._files = files
        self._write = write
        self._turns = BoundedSemaphore(_AT_ONCE)

    def path(self, project: ProjectId, ref: ImageRef) -> Path:
        digest = hashlib.blake2b(f"{project} {ref.task} {ref.uri}".encode(), digest_size=16)
        found = self._folder / f"{digest.hexdigest()}.jpg"
        if not found.is_file():
            with self._turns, room_for(found):
                self._make(ref, found)
        return found

    def _make(self, ref: ImageRef, target: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}.jpg")
        try:
            self._write(self._files().path(ref), draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        paths = list(self._folder.iterdir())
        if len(paths) <= _MOST:
            return
        for path in sorted(paths, key=_age)[: len(paths) - _MOST + _MOST // 10]:
            with suppress(OSError):
                path.unlink()


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0
