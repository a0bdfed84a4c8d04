"""Folders for temporary files, such as the images and checkpoints of a training."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.stores.file_systems import is_local_disk


def local_scratch(data_dir: Path) -> Path | None:
    """Return a folder for temporary files that are used in place of memory; None without a disk.

    The system's own, where the data folder is shared between machines.
    """
    folders = (data_dir / "scratch", Path(tempfile.gettempdir()))
    return next((folder for folder in folders if is_local_disk(folder)), None)


@contextmanager
def scratch_folder(parent: Path) -> Generator[Path]:
    """Create a folder for one piece of work, and delete it afterwards.

    A process holds an flock on its folder, which the kernel releases when the process dies. So a
    free one was left by a process that was killed, and is deleted first.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with _opened(parent) as everything:
        _try_lock(everything, fcntl.LOCK_EX)  # nobody sweeps between mkdtemp and its lock
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        descriptor = os.open(folder, os.O_RDONLY)
        _try_lock(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep_scratch(parent: Path) -> None:
    """Delete the folders that killed processes left."""
    if parent.is_dir():
        with _opened(parent) as everything:
            _try_lock(everything, fcntl.LOCK_EX)
            _sweep(parent)


def _sweep(parent: Path) -> None:
    for folder in parent.iterdir():
        if folder.is_dir():
            with suppress(FileNotFoundError), _opened(folder) as descriptor:  # just finished
                if _try_lock(descriptor):
                    shutil.rmtree(folder, ignore_errors=True)


def _try_lock(descriptor: int, mode: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> bool:
    """Lock an open folder; False if another process holds it or the file system has no locks."""
    try:
        fcntl.flock(descriptor, mode)
    except OSError:
        return False
    return True


@contextmanager
def _opened(folder: Path) -> Generator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
