"""Keep copies of the labeled tasks of each project, in one SQLite file per project.

projects/<id>/labeled.sqlite

The file is a cache: a damaged one is renamed, and its tasks are read from Label Studio again.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from backend.domain.ids import ProjectId, TaskId
from backend.domain.json import Json, compact
from backend.ports.task_copies import CopiedTasks
from backend.stores.atomic_files import room_for
from backend.stores.sqlite_files import SqliteCache

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    task INTEGER PRIMARY KEY, updated TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS complete (one INTEGER PRIMARY KEY, until TEXT NOT NULL);
"""
_PROBE = "SELECT updated, content, until FROM tasks, complete LIMIT 1"
_CACHE = SqliteCache(_SCHEMA, _PROBE, log_ahead=False)
_KNOWN = """
SELECT COUNT(*), MAX(updated), (SELECT until FROM complete) FROM tasks
"""
_PAGE = "SELECT task, content FROM tasks WHERE task > ? ORDER BY task LIMIT ?"
_PAGE_SIZE = 1000
_BETWEEN = "SELECT task, content FROM tasks WHERE task BETWEEN ? AND ?"
_UNCHANGED = "SELECT task FROM tasks WHERE updated <= ?"
_CHANGES = "SELECT task, updated FROM tasks WHERE updated > ?"
_PUT = """
INSERT INTO tasks VALUES (?, ?, ?) ON CONFLICT (task) DO UPDATE
SET updated = excluded.updated, content = excluded.content
WHERE excluded.updated > updated OR excluded.updated = updated AND excluded.content <> content
"""
_COMPLETE = """
INSERT INTO complete VALUES (1, ?) ON CONFLICT (one) DO UPDATE
SET until = excluded.until WHERE excluded.until <> until
"""

Row = tuple[int, str, str]
Result = TypeVar("Result")


class TaskCopyFiles:
    """Implements `backend.ports.task_copies.TaskCopies`; safe for several processes."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"

    def known(self, project: ProjectId) -> CopiedTasks:
        return self._run(project, _known)

    def put(self, project: ProjectId, tasks: Iterable[Json]) -> CopiedTasks:
        rows = list(map(_row, tasks))

        def stored(database: sqlite3.Connection) -> CopiedTasks:
            database.executemany(_PUT, rows)
            return _known(database)

        return self._run(project, stored)

    def retain(
        self, project: ProjectId, tasks: Collection[TaskId], until: datetime | None
    ) -> CopiedTasks:
        def retained(database: sqlite3.Connection) -> CopiedTasks:
            if until:
                found = database.execute(_UNCHANGED, (_text(until),)).fetchall()
                gone = [(task,) for (task,) in found if task not in tasks]
                database.executemany("DELETE FROM tasks WHERE task = ?", gone)
            database.execute("DELETE FROM complete")
            return _known(database)

        return self._run(project, retained)

    def complete(self, project: ProjectId, until: datetime) -> None:
        self._run(project, lambda database: database.execute(_COMPLETE, (_text(until),)))

    def changes(self, project: ProjectId, since: datetime) -> Mapping[TaskId, datetime]:
        rows = self._run(
            project, lambda database: database.execute(_CHANGES, (_text(since),)).fetchall()
        )
        return {TaskId(task): datetime.fromisoformat(updated) for task, updated in rows}

    def between(self, project: ProjectId, first: TaskId, last: TaskId) -> Mapping[TaskId, Json]:
        rows = self._run(
            project, lambda database: database.execute(_BETWEEN, (first, last)).fetchall()
        )
        return {TaskId(task): json.loads(content) for task, content in rows}

    def all(self, project: ProjectId) -> Iterator[Json]:
        last, is_full = -1, True
        while is_full:
            rows = self._page(project, last)
            yield from (json.loads(content) for _, content in rows)
            is_full = len(rows) == _PAGE_SIZE
            last = rows[-1][0] if rows else last

    def _page(self, project: ProjectId, last: int) -> list[tuple[int, str]]:
        values = (last, _PAGE_SIZE)
        return self._run(project, lambda database: database.execute(_PAGE, values).fetchall())

    def _run(self, project: ProjectId, query: Callable[[sqlite3.Connection], Result]) -> Result:
        path = self._projects / str(project) / "labeled.sqlite"
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return _CACHE.run(path, query)


def _known(database: sqlite3.Connection) -> CopiedTasks:
    ((count, newest, until),) = database.execute(_KNOWN).fetchall()
    return CopiedTasks(count, _moment(newest), _moment(until))


def _row(task: Json) -> Row:
    updated = datetime.fromisoformat(str(task["updated_at"]))
    return int(task["id"]), _text(updated), compact(task)


def _text(moment: datetime) -> str:
    """Return a text that sorts by time; Label Studio leaves out microseconds that are 0."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
