"""What is known of images without looking at them again: a small database beside the files."""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import DiskFull

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS images (
    key BLOB PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL,
    checked REAL NOT NULL, validator TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    digest TEXT PRIMARY KEY, size INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_by_use ON objects (used);
CREATE TABLE IF NOT EXISTS total (id INTEGER PRIMARY KEY CHECK (id = 0), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (0, 0);
CREATE TRIGGER IF NOT EXISTS object_added AFTER INSERT ON objects
    BEGIN UPDATE total SET bytes = bytes + new.size; END;
CREATE TRIGGER IF NOT EXISTS object_dropped AFTER DELETE ON objects
    BEGIN UPDATE total SET bytes = bytes - old.size; END;
"""
_AT_ONCE: Final = 500
"""Keys in one query; SQLite allows 999 parameters at least."""


@dataclass(frozen=True, slots=True)
class Known:
    """What an address led to when it was last looked at, at `checked` (seconds since 1970).

    `validator` recognises an unchanged image: a request header for remote ones, the time of
    change and the size for local files.
    """

    digest: str
    size: int
    checked: float
    validator: str


class ImageIndex:
    """Addresses to digests, and the objects that are kept, by last use.

    Safe for several threads and processes; nothing is lost or half there after a kill. Every
    object file has a row here; a row may have lost its file.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        with self._named():
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Known]:
        """What is known of each key; unknown ones are left out."""
        found: dict[bytes, Known] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT * FROM images WHERE key IN ({marks})"  # noqa: S608 - only marks
            with self._named():
                rows = self._db.execute(query, some).fetchall()
            found.update((row[0], Known(*row[1:])) for row in rows)
        return found

    def learn(self, key: bytes, known: Known) -> None:
        """Remember what an address led to."""
        with self._named():
            self._db.execute(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?)",
                (key, known.digest, known.size, known.checked, known.validator),
            )

    def announce(self, digest: str, size: int) -> None:
        """Count an object as kept and just used."""
        with self._named():
            self._db.execute(
                "INSERT INTO objects VALUES (?, ?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                (digest, size, self._clock()),
            )

    def touch(self, digest: str) -> bool:
        """Note that an object is used now; False where it is not kept."""
        with self._named():
            return bool(
                self._db.execute(
                    "UPDATE objects SET used = ? WHERE digest = ?", (self._clock(), digest)
                ).rowcount
            )

    def total(self) -> int:
        """Bytes of all objects."""
        with self._named():
            return int(self._db.execute("SELECT bytes FROM total").fetchone()[0])

    def drop_least_used(self, down_to: int, keep: str, delete: Callable[[str], None]) -> int:
        """Forget some objects, longest unused first, towards `down_to` bytes; says how many bytes.

        `delete` removes a file. It runs while all other writers wait, so that an object that
        comes into use meanwhile is either spared or stored anew.
        """
        with self._writing():
            dropped, excess = 0, self.total() - down_to
            rows = self._db.execute(
                "SELECT digest, size FROM objects WHERE digest != ? ORDER BY used LIMIT ?",
                (keep, _AT_ONCE),
            ).fetchall()
            for digest, size in rows:
                if dropped >= excess:
                    break
                delete(digest)
                self._db.execute("DELETE FROM objects WHERE digest = ?", (digest,))
                dropped += size
            return dropped

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Generator[None, None, None]:
        with self._named():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _named(self) -> Generator[None, None, None]:
        """One thread at a time, and a full disk by its name."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                raise DiskFull(f"the disk of {self._path} is full", "Free some space") from exc
