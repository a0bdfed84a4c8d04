"""The SQLite index of the image cache: contents by address, and stored files by last use."""

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock

from connectors.errors import DiskFull
from connectors.images.content import Content

log = logging.getLogger(__name__)

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
_KNOWN: Final = "SELECT key, digest, size, validator, checked FROM images"
_ROWS: Final = 500
"""Keys or rows in one query; SQLite allows at least 999 parameters."""

Result = TypeVar("Result")

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""SQLITE_ERROR: the tables have other columns, so the file is of another program or version."""


class ImageIndex:
    """Contents by key of their address, and stored objects by last use.

    Safe for several threads and processes, and consistent after a kill. `journal` is SQLite's
    journal mode: a write-ahead log works on one machine only. Every object file has a
    row here; the file of a row may be missing.

    A damaged file is set aside whenever the damage shows, and the cache starts empty. The files in
    the cache are deleted then, because files without a row would never be evicted.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, journal: str = "WAL"
    ) -> None:
        self._path = path
        self._journal = journal
        self._clock = clock
        self._lock = threading.RLock()
        self._db = self._connect()
        self._run(self._create)

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Content]:
        """Return the known content of each key; unknown keys are left out."""
        found: dict[bytes, Content] = {}
        for start in range(0, len(keys), _ROWS):
            some = keys[start : start + _ROWS]
            marks = ",".join("?" * len(some))
            query = f"{_KNOWN} WHERE key IN ({marks})"
            rows = self._run(lambda db, query=query, some=some: db.execute(query, some).fetchall())
            found.update((row[0], Content(*row[1:])) for row in rows)
        return found

    def learn(self, key: bytes, content: Content) -> None:
        """Store the content that an address led to."""
        row = (key, content.digest, content.size, content.checked, content.validator)
        self._run(
            lambda db: db.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?)", row)
        )

    def announce(self, digest: str, size: int) -> None:
        """Record that an object is stored, and used now."""
        row = (digest, size, self._clock())
        self._run(
            lambda db: db.execute(
                "INSERT INTO objects VALUES (?, ?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                row,
            )
        )

    def touch(self, digest: str) -> bool:
        """Record that an object is used now; return False if it is not stored."""
        row = (self._clock(), digest)
        update = "UPDATE objects SET used = ? WHERE digest = ?"
        return bool(self._run(lambda db: db.execute(update, row).rowcount))

    def total(self) -> int:
        """Return the size of all objects in bytes."""
        return self._run(lambda db: int(db.execute("SELECT bytes FROM total").fetchone()[0]))

    def drop_least_used(self, down_to: int, keep: str, delete: Callable[[str], None]) -> int:
        """Evict objects, least recently used first, until `down_to` bytes are left.

        A use in the future counts as long ago: the clock ran ahead then. Stops after 500 objects.
        `delete` removes the file of a digest. It is called under the write lock, so that an object
        that is used meanwhile is either kept or stored anew. Returns the number of bytes freed.
        """
        with self._writing():
            dropped, excess = 0, self.total() - down_to
            self._db.execute("UPDATE objects SET used = 0 WHERE used > ?", (self._clock(),))
            rows = self._db.execute(
                "SELECT digest, size FROM objects WHERE digest != ? ORDER BY used LIMIT ?",
                (keep, _ROWS),
            ).fetchall()
            for digest, size in rows:
                if dropped >= excess:
                    break
                delete(digest)
                self._db.execute("DELETE FROM objects WHERE digest = ?", (digest,))
                dropped += size
            return dropped

    def forget(self, older_than: float) -> int:
        """Forget contents last checked so many seconds ago whose object is not stored.

        Returns their number. An address with a signature is a new one each time, so they pile up.
        """
        before = self._clock() - older_than
        query = (
            "DELETE FROM images WHERE checked < ? AND digest NOT IN (SELECT digest FROM objects)"
        )
        return self._run(lambda db: db.execute(query, (before,)).rowcount)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _create(self, database: sqlite3.Connection) -> None:
        with suppress(sqlite3.OperationalError):  # others use it in the mode that it has
            database.execute(f"PRAGMA journal_mode = {self._journal}")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=60, isolation_level=None, check_same_thread=False
        )

    def _run(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query, and once more on an empty index if this one is damaged."""
        with self._lock:
            try:
                with self._exclusive():
                    return query(self._db)
            except sqlite3.DatabaseError as exc:
                if exc.sqlite_errorcode & 0xFF not in _DAMAGED:
                    raise
                self._set_aside(exc)
            with self._exclusive():
                return query(self._db)

    def _set_aside(self, error: Exception) -> None:
        """Rename a damaged file, unless another process did so, and open an empty one."""
        self._db.close()
        with FileLock(self._path.with_suffix(".lock")):
            if not _is_sound(self._path):
                log.warning("%s is damaged and set aside: %s", self._path, error)
                for part in (self._path, *self._path.parent.glob(f"{self._path.name}-*")):
                    part.replace(part.with_name(f"damaged-{part.name}"))
                shutil.rmtree(self._path.parent / "objects", ignore_errors=True)
            self._db = self._connect()
            with self._exclusive():
                self._create(self._db)

    @contextmanager
    def _writing(self) -> Generator[None, None, None]:
        with self._exclusive():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _exclusive(self) -> Generator[None, None, None]:
        """Admit one thread at a time, and turn a full disk into DiskFull."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                raise DiskFull(f"the disk of {self._path} is full", "Free some space") from exc


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=60)) as database:
            database.execute(f"{_KNOWN} LIMIT 1")
            database.execute("SELECT digest, size, used FROM objects LIMIT 1")
            return database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False
