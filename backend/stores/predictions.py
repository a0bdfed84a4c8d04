"""What each version said of each task, in one SQLite file a project.

A row is keyed by the digest of the image's address too: a task whose data changed shows another
image, and its old prediction is not an answer any more.
"""

import hashlib
import json
import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from backend.domain.answers import ImageRef
from backend.domain.errors import OutOfSpace
from backend.domain.ids import ProjectId, VersionName
from backend.domain.json import Json
from backend.stores.atomic_files import room_for

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    version TEXT NOT NULL, task INTEGER NOT NULL, uri BLOB NOT NULL, wire TEXT NOT NULL,
    PRIMARY KEY (version, task)
) WITHOUT ROWID
"""
_PUT = "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?)"
_GET = """
SELECT task, uri, wire FROM predictions
WHERE version = ? AND task IN (SELECT value FROM json_each(?))
"""


class PredictionStore:
    """The stored predictions of all projects below one data folder; safe for several processes."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def put(
        self,
        project: ProjectId,
        version: VersionName,
        predictions: Mapping[ImageRef, Json],
    ) -> None:
        """Raises OutOfSpace, with nothing stored."""
        rows = [
            (version, ref.task, _digest(ref.uri), json.dumps(prediction, separators=(",", ":")))
            for ref, prediction in predictions.items()
        ]
        with room_for(self._path(project)):
            self._path(project).parent.mkdir(parents=True, exist_ok=True)
        with self._open(project) as database:
            database.executemany(_PUT, rows)

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Json]:
        """Only those stored, and only where the task still shows the same image."""
        if not refs or not self._path(project).is_file():
            return {}
        with self._open(project) as database:
            tasks = json.dumps([ref.task for ref in refs])
            rows = database.execute(_GET, (version, tasks)).fetchall()
        stored = {(task, uri): wire for task, uri, wire in rows}
        keys = {ref: (ref.task, _digest(ref.uri)) for ref in refs}
        return {ref: json.loads(stored[key]) for ref, key in keys.items() if key in stored}

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        """Forget what all other versions said."""
        if not self._path(project).is_file():
            return
        kept = set(keep)
        with self._open(project) as database:
            versions = database.execute("SELECT DISTINCT version FROM predictions").fetchall()
            gone = [row for row in versions if row[0] not in kept]
            database.executemany("DELETE FROM predictions WHERE version=?", gone)

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "predictions.sqlite"

    @contextmanager
    def _open(self, project: ProjectId) -> Generator[sqlite3.Connection]:
        """One transaction on a connection of its own: threads and forks share nothing."""
        path = self._path(project)
        database = sqlite3.connect(path, timeout=30)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            with database:
                database.execute(_SCHEMA)
                yield database
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise OutOfSpace(f"the disk is full: cannot write {path}", "Free some space") from exc
        finally:
            database.close()


def _digest(uri: str) -> bytes:
    return hashlib.blake2b(uri.encode(), digest_size=16).digest()
