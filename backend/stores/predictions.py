"""Store the predictions of each version by task, in one SQLite file per project.

A row also has a digest of the image's address: the prediction of a task whose image was replaced
must not be returned.

The file is a cache. A damaged one is renamed, and an empty one takes its place.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from backend.domain.answers import ImageRef
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.json import Json, compact
from backend.stores.atomic_files import room_for
from backend.stores.sqlite_files import SqliteCache

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    version TEXT NOT NULL, task INTEGER NOT NULL, uri BLOB NOT NULL, prediction TEXT NOT NULL,
    PRIMARY KEY (version, task)
) WITHOUT ROWID
"""
_CACHE = SqliteCache(_SCHEMA, "SELECT version, task, uri, prediction FROM predictions LIMIT 1")
_PUT = "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?)"
_OF_VERSION = "SELECT task, uri, prediction FROM predictions WHERE version = ?"
_GET = """
SELECT * FROM predictions
WHERE version = ? AND task IN (SELECT value FROM json_each(?))
"""
_KNOWN = """
SELECT task, uri FROM predictions
WHERE version = ? AND task IN (SELECT value FROM json_each(?))
    AND CASE WHEN json_valid(prediction) THEN json_type(prediction) = 'object' END
"""


Result = TypeVar("Result")


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
        """Store predictions in Label Studio's JSON.

        Raises:
            OutOfSpace: with nothing stored.
        """
        rows = [
            (version, ref.task, _digest(ref), compact(prediction))
            for ref, prediction in predictions.items()
        ]
        with room_for(self._path(project)):
            self._path(project).parent.mkdir(parents=True, exist_ok=True)
        self._run(project, lambda database: database.executemany(_PUT, rows))

    def get(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> Mapping[ImageRef, Json]:
        """The stored predictions of those tasks that still show the same image."""
        rows = self._rows(_GET, project, version, refs)
        stored = {(task, uri): prediction for _, task, uri, prediction in rows}
        keys = {ref: (ref.task, _digest(ref)) for ref in refs}
        found = {ref: _parsed(stored[key]) for ref, key in keys.items() if key in stored}
        return {ref: prediction for ref, prediction in found.items() if prediction is not None}

    def known(
        self, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> frozenset[TaskId]:
        """The tasks of which `get` would return a prediction; reads none."""
        stored = set(self._rows(_KNOWN, project, version, refs))
        return frozenset(ref.task for ref in refs if (ref.task, _digest(ref)) in stored)

    def _rows(
        self, query: str, project: ProjectId, version: VersionName, refs: Sequence[ImageRef]
    ) -> list[tuple[Any, ...]]:
        if not refs or not self._path(project).is_file():
            return []
        tasks = json.dumps([ref.task for ref in refs])
        return self._run(
            project, lambda database: database.execute(query, (version, tasks)).fetchall()
        )

    def relabel(
        self,
        project: ProjectId,
        old: VersionName,
        new: VersionName,
        change: Callable[[Json], Json],
    ) -> None:
        """Store the predictions of a version under another one too, each changed.

        Raises:
            OutOfSpace: with nothing stored.
        """
        if not self._path(project).is_file():
            return

        def copied(database: sqlite3.Connection) -> None:
            rows = database.execute(_OF_VERSION, (old,)).fetchall()
            changed = (
                (new, task, uri, compact(change(known)))
                for task, uri, prediction in rows
                if (known := _parsed(prediction)) is not None
            )
            database.executemany(_PUT, changed)

        self._run(project, copied)

    def prune(self, project: ProjectId, keep: Iterable[VersionName]) -> None:
        """Delete the predictions of all other versions."""
        if not self._path(project).is_file():
            return
        kept = set(keep)

        def delete(database: sqlite3.Connection) -> None:
            versions = database.execute("SELECT DISTINCT version FROM predictions").fetchall()
            unwanted = [row for row in versions if row[0] not in kept]
            database.executemany("DELETE FROM predictions WHERE version=?", unwanted)

        self._run(project, delete)

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / "predictions.sqlite"

    def _run(self, project: ProjectId, query: Callable[[sqlite3.Connection], Result]) -> Result:
        return _CACHE.run(self._path(project), query)


def _parsed(text: str) -> Json | None:
    """None for a damaged row: the prediction is computed again."""
    try:
        prediction: object = json.loads(text)
    except ValueError:
        return None
    return cast(Json, prediction) if isinstance(prediction, dict) else None


def _digest(ref: ImageRef) -> bytes:
    """Return a digest of the addresses of a task's images."""
    uris = "\n".join((ref.uri, *ref.others))
    return hashlib.blake2b(uris.encode("utf-8", "surrogatepass"), digest_size=16).digest()
