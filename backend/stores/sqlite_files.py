"""SQLite files of the data folder: one transaction a call, and caches that survive damage."""

import logging
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from backend.domain.errors import OutOfSpace
from backend.stores.file_systems import set_journal

log = logging.getLogger(__name__)

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""SQLITE_ERROR: the table has other columns, so the file is of another program or version."""

_SHARED_MEMORY = 32_768
"""Bytes that a write-ahead log needs at least, see sqlite.org/walformat.html."""

Result = TypeVar("Result")


@contextmanager
def transaction(
    path: Path, schema: str, *, synchronous: str = "FULL", log_ahead: bool = True
) -> Generator[sqlite3.Connection]:
    """Yield a new connection, in a transaction: threads and forks must not share one.

    `schema`: statements that make the tables, where they are not there. `synchronous`: as SQLite's
    pragma; with NORMAL a loss of power may cost the last transactions. `log_ahead`: use a
    write-ahead log where the file system allows it, so that nobody waits for a long write. It costs
    1 ms for each connection that reads and 4 ms for one that writes, since the last one to close
    empties it; the rollback journal costs a third and a half of that.

    Raises:
        OutOfSpace: when the disk is full.
    """
    with closing(sqlite3.connect(path, timeout=30)) as database:
        try:
            if log_ahead:
                set_journal(database, path)
            database.execute(f"PRAGMA synchronous={synchronous}")
            database.executescript(schema)
            with database:
                yield database
        except sqlite3.OperationalError as exc:
            if not _is_disk_full(exc, path.parent):
                raise
            raise OutOfSpace(f"the disk is full: cannot write {path}", "Free some space") from exc


def _is_disk_full(error: sqlite3.OperationalError, folder: Path) -> bool:
    """Whether an error means that the disk of a folder is full.

    Even who only reads needs room for the memory that a write-ahead log shares: without it SQLite
    reports an input or output error.
    """
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
        return shutil.disk_usage(folder).free < _SHARED_MEMORY
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL


@dataclass(frozen=True, slots=True)
class SqliteCache:
    """A kind of file that may be lost: a damaged one is renamed, an empty one takes its place.

    `schema` makes its tables; `probe` is a query that fails where they are not as expected.
    `log_ahead` as in `transaction`.
    """

    schema: str
    probe: str
    log_ahead: bool = True

    def run(self, path: Path, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query in a transaction, and once more on an empty file if this one is damaged."""
        try:
            return self._run_once(path, query)
        except sqlite3.DatabaseError as exc:
            if exc.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise
            self._set_aside(path, exc)
        return self._run_once(path, query)

    def _run_once(self, path: Path, query: Callable[[sqlite3.Connection], Result]) -> Result:
        with transaction(
            path, self.schema, synchronous="NORMAL", log_ahead=self.log_ahead
        ) as database:
            return query(database)

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename a damaged file, unless another thread or process did so."""
        with FileLock(path.with_suffix(".lock")):
            if self._is_sound(path):
                return
            log.warning("%s is damaged and set aside: %s", path, error)
            for part in (path, *path.parent.glob(f"{path.name}-*")):
                part.replace(part.with_name(f"damaged-{part.name}"))

    def _is_sound(self, path: Path) -> bool:
        try:
            with closing(sqlite3.connect(path, timeout=30)) as database:
                database.execute(self.probe)
                return database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            return False
