"""Keep copies of the labeled tasks of each project, in one SQLite file per project.

projects/<id>/labeled.sqlite

The file is a cache: a damaged one is deleted, and its tasks are read from Label Studio again.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from backend.domain.errors import OutOfSpace
from backend.domain.ids import ProjectId
from backend.domain.json import Json
from backend.stores.atomic_files import room_for

log = logging.getLogger(__name__)

_TASKS = """
CREATE TABLE IF NOT EXISTS tasks (
    task INTEGER PRIMARY KEY, updated TEXT NOT NULL, content TEXT NOT NULL)
"""
_COMPARED = "CREATE TABLE IF NOT EXISTS compared (one INTEGER PRIMARY KEY, moment TEXT NOT NULL)"
_PAGE = "SELECT task, content FROM tasks WHERE task > ? ORDER BY task LIMIT 1000"
_NEWEST = """
SELECT COALESCE((SELECT MAX(updated) FROM tasks), ''), (SELECT moment FROM compared)
"""
_PUT = """
INSERT INTO tasks VALUES (?, ?, ?) ON CONFLICT (task) DO UPDATE
SET updated = excluded.updated, content = excluded.content WHERE excluded.updated >= updated
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""SQLITE_ERROR: the table has other columns, so the file is of another program or version."""

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
        """Run a query in a transaction, and once more on an empty file if this one is damaged."""
        path = self._projects / str(project) / "labeled.sqlite"
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _transaction(path) as database:
                return query(database)
        except sqlite3.DatabaseError as exc:
            if exc.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise
            log.warning("%s is damaged and made anew: %s", path, exc)
        path.unlink(missing_ok=True)
        with _transaction(path) as database:
            return query(database)


@contextmanager
def _transaction(path: Path) -> Generator[sqlite3.Connection]:
    """Yield a new connection, in a transaction: threads and forks must not share one."""
    database = sqlite3.connect(path, timeout=30)
    try:
        with database:
            database.execute(_TASKS)
            database.execute(_COMPARED)
            yield database
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise OutOfSpace(f"the disk is full: cannot write {path}", "Free some space") from exc
    finally:
        database.close()


def _store(
    database: sqlite3.Connection, rows: Iterable[tuple[int, str, str]], compared: datetime
) -> None:
    database.executemany(_PUT, rows)
    database.execute("INSERT OR REPLACE INTO compared VALUES (1, ?)", (compared.isoformat(),))


def _row(task: Json) -> tuple[int, str, str]:
    return int(task["id"]), str(task["updated_at"]), json.dumps(task, separators=(",", ":"))
