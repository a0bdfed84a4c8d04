"""Find the files of images below a folder of this machine."""

import os
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

LinkedFolders = MutableMapping[str, str]
"""Where folders are once all links are followed. Keep it for one look at many files only, because
links change."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine: `path` without links, `size` in bytes.

    `state` is its modification time and size, which differ once its content changed.
    """

    path: str
    size: int
    state: str


def find(root: str, relative: str, folders: LinkedFolders) -> LocalFile | None:
    """Return a file below `root`, itself without links; None if it is not there, or no file.

    A link that leads out of the root is not followed. The folders met are added to `folders`.
    """
    try:
        path, status = _resolved(f"{root}{os.sep}{relative}", folders)
    except (OSError, ValueError):  # ValueError: a null byte in a name
        return None
    inside = path.startswith(f"{root}{os.sep}")
    if not inside or not stat.S_ISREG(status.st_mode):
        return None
    return LocalFile(path, status.st_size, state(status))


def state(status: os.stat_result) -> str:
    """Return the modification time in nanoseconds and the size of a file."""
    return f"{status.st_mtime_ns} {status.st_size}"


def _resolved(path: str, folders: LinkedFolders) -> tuple[str, os.stat_result]:
    """Follow all links of a path; also returns the status of what is there. Raises OSError."""
    folder, name = os.path.split(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder, strict=True)
    path = f"{folders[folder]}{os.sep}{name}"
    status = os.lstat(path)
    if not stat.S_ISLNK(status.st_mode):
        return path, status
    path = os.path.realpath(path, strict=True)
    return path, Path(path).stat()
