"""Keep copies of the labeled tasks of each project, in one SQLite file per project.

projects/<id>/labeled.sqlite

The file is a cache: a damaged one is renamed, and its tasks are read from Label Studio again.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from backend.domain.ids import ProjectId
from backend.domain.json import Json
from backend.stores.atomic_files import room_for
from backend.stores.sqlite_files import SqliteCache

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    task INTEGER PRIMARY KEY, updated TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS compared (one INTEGER PRIMARY KEY, moment TEXT NOT NULL);
"""
_CACHE = SqliteCache(_SCHEMA, "SELECT updated, content, moment FROM tasks, compared LIMIT 1")
_PAGE = "SELECT task, content FROM tasks WHERE task > ? ORDER BY task LIMIT 1000"
_NEWEST = """
SELECT COALESCE((SELECT MAX(updated) FROM tasks), ''), (SELECT moment FROM compared)
"""
_PUT = """
INSERT INTO tasks VALUES (?, ?, ?) ON CONFLICT (task) DO UPDATE
SET updated = excluded.updated, content = excluded.content WHERE excluded.updated >= updated
"""
_NEVER = datetime.min.replace(tzinfo=UTC)

Result = TypeVar("Result")


class TaskCopyFiles:
    """Implements `backend.ports.task_copies.TaskCopies`; safe for several processes."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def newest(self, project: ProjectId) -> tuple[str, datetime]:
        ((newest, compared),) = self._rows(project, _NEWEST)
        return newest, datetime.fromisoformat(compared) if compared else _NEVER

    def count(self, project: ProjectId) -> int:
        ((count,),) = self._rows(project, "SELECT COUNT(*) FROM tasks")
        return count

    def put(self, project: ProjectId, tasks: Iterable[Json], compared: datetime) -> None:
        rows = list(map(_row, tasks))
        self._run(project, lambda database: _store(database, rows, compared))

    def replace(self, project: ProjectId, tasks: Iterable[Json], compared: datetime) -> None:
        rows = list(map(_row, tasks))

        def replaced(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM tasks")
            _store(database, rows, compared)

        self._run(project, replaced)

    def all(self, project: ProjectId) -> Iterator[Json]:
        last = -1
        while rows := self._rows(project, _PAGE, last):
            yield from (json.loads(content) for _, content in rows)
            last = rows[-1][0]

    def _rows(self, project: ProjectId, query: str, *values: int) -> list[tuple[Any, ...]]:
        return self._run(project, lambda database: database.execute(query, values).fetchall())

    def _run(self, project: ProjectId, query: Callable[[sqlite3.Connection], Result]) -> Result:
        path = self._projects / str(project) / "labeled.sqlite"
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return _CACHE.run(path, query)


def _store(
    database: sqlite3.Connection, rows: Iterable[tuple[int, str, str]], compared: datetime
) -> None:
    database.executemany(_PUT, rows)
    database.execute("INSERT OR REPLACE INTO compared VALUES (1, ?)", (compared.isoformat(),))


def _row(task: Json) -> tuple[int, str, str]:
    return int(task["id"]), str(task["updated_at"]), json.dumps(task, separators=(",", ":"))
