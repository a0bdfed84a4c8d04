"""The feature cache: vectors by image content, in one SQLite file for each backbone.

Every call opens its own connection, so it is safe to share between threads and across forks, and a
process may be killed at any time.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import strftime
from typing import TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from backend.domain.errors import OutOfSpace
from backend.models.images.notes import Note
from backend.stores.file_systems import set_journal

logger = logging.getLogger(__name__)

_APPLICATION = 0x416C6162
"""SQLite's application_id, which marks a file as a feature cache."""

_FORMAT = 1
_AT_ONCE = 1000
_SCHEMA = """
CREATE TABLE features (
    digest TEXT PRIMARY KEY, vector BLOB NOT NULL, traits BLOB NOT NULL, notes INTEGER NOT NULL
)"""

Result = TypeVar("Result")
Number = TypeVar("Number", np.float16, np.float32)


@dataclass(frozen=True, slots=True)
class Entry:
    """The features of one image: `vector` (d,) float16, `image_stats` as in `IMAGE_STATS`."""

    vector: NDArray[np.float16]
    image_stats: NDArray[np.float32]
    notes: Note


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of n images: `vectors` (n, d), `image_stats` (n, s), and notes as numbers."""

    digests: Sequence[str]
    vectors: NDArray[np.float16]
    image_stats: NDArray[np.float32]
    notes: Sequence[int]


class _Unusable(Exception):
    """The file is not a feature cache of this format."""


class FeatureCache:
    """Features that were computed before, by content digest."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, digests: Sequence[str]) -> Iterator[tuple[str, Entry]]:
        """Yield the known entries in any order, read in chunks of 1,000."""
        for some in _chunks(digests):
            found = self.read(some)
            notes = map(Note, found.notes)
            entries = map(Entry, found.vectors, found.image_stats, notes)
            yield from zip(found.digests, entries, strict=True)

    def read(self, digests: Sequence[str]) -> Entries:
        """Return the known entries of at most 1,000 different digests, in any order."""
        rows = self._with_database(lambda db: _select(db, digests))
        return Entries(
            [row[0] for row in rows],
            _array([row[1] for row in rows], np.float16),
            _array([row[2] for row in rows], np.float32),
            [row[3] for row in rows],
        )

    def count(self, digests: Sequence[str]) -> int:
        """Return how many of these digests are known, equal ones included; reads no vector."""
        known = set[str]()
        for some in _chunks(list(dict.fromkeys(digests))):
            known |= self._with_database(lambda db, some=some: _known(db, some))
        return sum(digest in known for digest in digests)

    def put(self, entries: Mapping[str, Entry]) -> None:
        """Store all entries in one transaction. Raises OutOfSpace."""
        rows = [
            (digest, entry.vector.tobytes(), entry.image_stats.tobytes(), int(entry.notes))
            for digest, entry in entries.items()
        ]
        self._with_database(lambda db: _insert(db, rows))

    def width(self) -> int | None:
        """Return the length of the stored vectors; None while the cache is empty."""
        row = self._with_database(
            lambda db: db.execute("SELECT length(vector) FROM features LIMIT 1").fetchone()
        )
        return row[0] // 2 if row else None

    def trim(self, most: int) -> int:
        """Delete the oldest entries until about `most` bytes are in use; returns their number.

        The file does not shrink, but grows no further: SQLite fills the freed pages first.
        """
        removed = 0
        while excess := max(0, self._with_database(_used_bytes) - most):
            share = self._with_database(lambda db, excess=excess: _drop_oldest(db, excess))
            removed += share
            if not share:
                break
        return removed

    def _with_database(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            try:
                return self._once(use)
            except (_Unusable, sqlite3.DatabaseError) as exc:
                if not _is_damage(exc):
                    raise
                self._set_aside(exc)
                return self._once(use)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                raise OutOfSpace(
                    f"no room for {self._path}", "Free some disk space below AUTOLABEL_DATA_DIR"
                ) from exc
            raise

    def _once(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=60)) as database, database:
            if not _is_ours(database):
                with self._lock():
                    _create(database, self._path)
            database.execute("PRAGMA synchronous = NORMAL")
            os.utime(self._path)  # in use: files that no job opens are deleted some day
            return use(database)

    def _set_aside(self, error: Exception) -> None:
        """Rename a damaged file, once only, even if several processes notice the damage."""
        with self._lock():
            if self._is_sound():
                return
            aside = self._path.with_suffix(strftime(".damaged-%Y%m%dT%H%M%S"))
            logger.warning("%s is unusable (%s); set aside as %s", self._path, error, aside.name)
            self._path.replace(aside)
            for ending in ("-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def _is_sound(self) -> bool:
        try:
            with closing(sqlite3.connect(self._path, timeout=60)) as database:
                (result,) = database.execute("PRAGMA quick_check(1)").fetchone()
                return result == "ok" and _is_ours(database)
        except sqlite3.DatabaseError as exc:
            if not _is_damage(exc):
                raise
            return False

    def _lock(self) -> FileLock:
        return FileLock(self._path.with_suffix(".lock"))


def _chunks(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[start : start + _AT_ONCE] for start in range(0, len(digests), _AT_ONCE))


def _is_ours(database: sqlite3.Connection) -> bool:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return (application, version) == (_APPLICATION, _FORMAT)


def _create(database: sqlite3.Connection, path: Path) -> None:
    """Create the table unless another process has done so. Raises _Unusable on a foreign file."""
    if _is_ours(database):
        return
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise _Unusable("not a feature cache of this version")
    set_journal(database, path)
    database.executescript(
        f"BEGIN; {_SCHEMA}; PRAGMA application_id = {_APPLICATION}; "
        f"PRAGMA user_version = {_FORMAT}; COMMIT;"
    )


def _select(
    database: sqlite3.Connection, digests: Sequence[str]
) -> list[tuple[str, bytes, bytes, int]]:
    marks = ",".join("?" * len(digests))
    query = f"SELECT digest, vector, traits, notes FROM features WHERE digest IN ({marks})"  # noqa: S608
    return database.execute(query, digests).fetchall()


def _known(database: sqlite3.Connection, digests: Sequence[str]) -> set[str]:
    marks = ",".join("?" * len(digests))
    query = f"SELECT digest FROM features WHERE digest IN ({marks})"  # noqa: S608
    return {digest for (digest,) in database.execute(query, digests)}


def _insert(database: sqlite3.Connection, rows: Iterable[tuple[str, bytes, bytes, int]]) -> None:
    database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)


def _used_bytes(database: sqlite3.Connection) -> int:
    (size,), (pages,), (free,) = (
        database.execute(f"PRAGMA {name}").fetchone()
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)


def _drop_oldest(database: sqlite3.Connection, excess: int) -> int:
    """Delete as many of the oldest rows as take `excess` bytes, by their mean size."""
    (rows,) = database.execute("SELECT count(*) FROM features").fetchone()
    count = min(rows, 1 + excess * rows // max(1, _used_bytes(database)))
    oldest = "SELECT rowid FROM features ORDER BY rowid LIMIT ?"
    return database.execute(f"DELETE FROM features WHERE rowid IN ({oldest})", (count,)).rowcount  # noqa: S608


def _array(rows: Sequence[bytes], dtype: type[Number]) -> NDArray[Number]:
    """Return a read-only array with these rows, which have the same length."""
    width = len(rows[0]) // np.dtype(dtype).itemsize if rows else 0
    return np.frombuffer(b"".join(rows), dtype).reshape(len(rows), width)


def _is_damage(error: Exception) -> bool:
    code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.DatabaseError) else None
    return isinstance(error, _Unusable) or code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
