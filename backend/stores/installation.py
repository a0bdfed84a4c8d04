"""The identity of a data folder: it moves with the folder, and no two folders share it."""

import re
import secrets
from pathlib import Path

from filelock import FileLock

from backend.stores.atomic_files import room_for, write_whole

_ID = re.compile(r"[0-9a-f]{16}")


def installation_id(data_dir: Path) -> str:
    """The id in the file `installation`, which is created when it is missing or damaged.

    Raises:
        OutOfSpace: when it cannot be written.
    """
    path = data_dir / "installation"
    if known := _read(path):
        return known
    with room_for(path):
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(data_dir / ".installation.lock").acquire()
    with lock:
        if known := _read(path):  # another process was faster
            return known
        created = secrets.token_hex(8)
        write_whole(path, created)
    return created


def _read(path: Path) -> str:
    try:
        text = path.read_text("ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""
    return text if _ID.fullmatch(text) else ""
