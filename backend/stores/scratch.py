"""The folder that a training writes its images and checkpoints to."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "detector-"


@contextmanager
def scratch_folder(parent: Path) -> Generator[Path]:
    """Create a folder for one training, and delete it afterwards.

    Folders of trainings that were killed are deleted first. A training holds an flock on its
    folder, which the kernel releases when the process dies, so a free one is left over.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with _opened(parent) as everything:
        _try_lock(everything, fcntl.LOCK_EX)  # nobody sweeps between mkdtemp and its lock
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
        descriptor = os.open(folder, os.O_RDONLY)
        _try_lock(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with _opened(folder) as descriptor:
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
