"""What the file system of a folder allows: how SQLite writes in it, and files in place of memory.

A write-ahead log is the fastest way, and needs memory that all processes share: it works on one
machine only (https://sqlite.org/wal.html, "WAL does not work over a network filesystem"). There the
rollback journal is used, which needs nothing but locks that hold between machines.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path
from sqlite3 import Connection, OperationalError

NETWORK = ("nfs", "cifs", "smb", "ceph", "gluster", "lustre", "beegfs", "afs", "9p", "fuse.")
"""Beginnings of the types of file systems that several machines may have mounted."""

MEMORY = ("tmpfs", "ramfs")
"""Types of file systems whose files take memory."""

LOCAL, SHARED = "WAL", "TRUNCATE"
"""Journal modes of SQLite."""

MOUNTS = Path("/proc/mounts")


@cache
def journal_mode(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the journal mode for databases in a folder, by the file system that it is on."""
    is_network = file_system(folder, mounts).startswith(NETWORK)
    return SHARED if is_network else LOCAL


@cache
def is_local_disk(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Return whether the files of a folder lie on a disk of this machine."""
    return not file_system(folder, mounts).startswith((*NETWORK, *MEMORY))


def set_journal(database: Connection, path: Path) -> None:
    """Set the journal mode of a database file, unless others use it in the one that it has."""
    with suppress(OperationalError):
        database.execute(f"PRAGMA journal_mode={journal_mode(path.parent)}")


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system of a folder; empty where the system does not tell."""
    try:
        lines = mounts.read_text("utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return ""
    place, found = folder.resolve(), dict[Path, str]()
    for line in lines:
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        mounted = Path(point.replace(r"\040", " "))
        if place == mounted or mounted in place.parents:
            found[mounted] = kind
    return found[max(found, key=lambda one: len(one.parts))] if found else ""
