"""Index the predicted images of each project for the review page, and keep what people decide.

One SQLite file per project, `review.sqlite`. A decision is written here first and saved in Label
Studio later, so it survives a restart; a row shows what is wanted and what Label Studio has.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import (
    Changes,
    ReviewDecision,
    ReviewImage,
    ReviewLabel,
    ReviewProgress,
    ReviewScreen,
    ReviewVerdict,
    UnsavedReview,
)
from backend.stores.atomic_files import room_for
from backend.stores.sqlite_files import transaction

_NAME = "review.sqlite"
_PROBLEMS_SHOWN = 5

_SCHEMA = """
CREATE TABLE IF NOT EXISTS images (
    task INTEGER PRIMARY KEY, version TEXT NOT NULL, score REAL NOT NULL);
CREATE INDEX IF NOT EXISTS surest ON images (score DESC, task);
CREATE TABLE IF NOT EXISTS labels (
    label TEXT NOT NULL, task INTEGER NOT NULL, confidence REAL NOT NULL,
    PRIMARY KEY (label, task)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS of_task ON labels (task);
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY, version TEXT NOT NULL, task INTEGER NOT NULL,
    verdict TEXT NOT NULL, changes TEXT NOT NULL, reviewer TEXT NOT NULL, screen TEXT NOT NULL,
    moment TEXT NOT NULL,
    shown TEXT NOT NULL DEFAULT 'open', shown_changes TEXT NOT NULL DEFAULT '{}',
    annotation INTEGER, batch TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '',
    UNIQUE (version, task));
CREATE VIEW IF NOT EXISTS open_images AS SELECT * FROM images WHERE task NOT IN (
    SELECT task FROM decisions WHERE version = images.version
        AND (verdict != 'open' OR shown != 'open' OR batch != ''));
CREATE VIEW IF NOT EXISTS unsaved_decisions AS SELECT * FROM decisions
    WHERE verdict != shown OR changes != shown_changes OR batch != '';
"""
_LABELS = """
SELECT label, COUNT(*), AVG(confidence) FROM labels JOIN open_images USING (task)
GROUP BY label ORDER BY COUNT(*) DESC, label
"""
_NEXT = """
SELECT task FROM open_images
WHERE (:at_least = 0 OR :at_least <= COALESCE(
        (SELECT AVG(confidence) FROM labels WHERE labels.task = open_images.task), score))
    AND (:label IS NULL OR task IN (SELECT task FROM labels WHERE label = :label))
ORDER BY score DESC, task LIMIT :limit OFFSET :skip
"""
_REOPEN = """
UPDATE decisions SET verdict = 'open', changes = '{}', problem = ''
WHERE verdict != 'open' AND (:screen IS NULL OR screen = :screen)
    AND (:label IS NULL OR task IN (SELECT task FROM labels WHERE label = :label))
"""
_DROP = ("DELETE FROM images WHERE task = ?", "DELETE FROM labels WHERE task = ?")
_UNSAVED = """
SELECT version, task, verdict, changes, shown, shown_changes, annotation, batch
FROM unsaved_decisions ORDER BY number LIMIT ?
"""
_COUNT = """
SELECT (SELECT COUNT(*) FROM unsaved_decisions),
    (SELECT COUNT(*) FROM decisions WHERE verdict != 'open' AND number NOT IN (
        SELECT number FROM unsaved_decisions))
"""
_PROBLEMS = "SELECT task, problem FROM decisions WHERE problem != '' ORDER BY number DESC LIMIT ?"
_DECIDE = """
INSERT INTO decisions (version, task, verdict, changes, reviewer, screen, moment)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (version, task) DO UPDATE SET
    verdict = excluded.verdict, changes = excluded.changes, reviewer = excluded.reviewer,
    screen = excluded.screen, moment = excluded.moment, problem = ''
"""
_SAVED = """
UPDATE decisions SET shown = ?, shown_changes = ?, annotation = ?, batch = '', problem = ?
WHERE version = ? AND task = ?
"""


class ReviewFiles:
    """Implements `ports.reviews.Reviews`; safe for several threads and processes."""

    def __init__(self, data_dir: Path, now: Callable[[], datetime]) -> None:
        self._projects = data_dir / "projects"
        self._now = now

    def index(
        self, project: ProjectId, version: VersionName, images: Iterable[ReviewImage]
    ) -> None:
        listed = list(images)
        labels = [
            (label, image.task, confidence)
            for image in listed
            for label, confidence in image.labels.items()
        ]
        with room_for(self._path(project)):
            self._path(project).parent.mkdir(parents=True, exist_ok=True)
        with self._transaction(project) as database:
            database.execute("DELETE FROM images")
            database.execute("DELETE FROM labels")
            rows = [(image.task, version, image.score) for image in listed]
            database.executemany("INSERT INTO images VALUES (?, ?, ?)", rows)
            database.executemany("INSERT INTO labels VALUES (?, ?, ?)", labels)

    def labels(self, project: ProjectId) -> Sequence[ReviewLabel]:
        return [
            ReviewLabel(Label(label), images, confidence)
            for label, images, confidence in self._read(project, _LABELS)
        ]

    def version(self, project: ProjectId) -> VersionName | None:
        rows = self._read(project, "SELECT version FROM images LIMIT 1")
        return VersionName(rows[0][0]) if rows else None

    def undecided(
        self, project: ProjectId, label: Label | None, at_least: float, skip: int, limit: int
    ) -> Sequence[TaskId]:
        given = {"label": label, "at_least": at_least, "skip": skip, "limit": limit}
        return [TaskId(row[0]) for row in self._read(project, _NEXT, given)]

    def drop(self, project: ProjectId, tasks: Collection[TaskId]) -> None:
        rows = [(task,) for task in tasks]
        with self._transaction(project) as database:
            for query in _DROP:
                database.executemany(query, rows)

    def decide(self, project: ProjectId, screen: ReviewScreen) -> None:
        moment = self._now().isoformat()
        rows = [
            (
                screen.version,
                task,
                decision.verdict.value,
                _to_text(decision.changes),
                screen.reviewer,
                screen.name,
                moment,
            )
            for task, decision in screen.decisions.items()
        ]
        with self._transaction(project) as database:
            database.executemany(_DECIDE, rows)

    def reopen(
        self, project: ProjectId, *, screen: str | None = None, label: Label | None = None
    ) -> int:
        with self._transaction(project) as database:
            return database.execute(_REOPEN, {"screen": screen, "label": label}).rowcount

    def projects(self) -> Sequence[ProjectId]:
        found = self._projects.glob(f"[0-9]*/{_NAME}")
        return sorted(ProjectId(int(path.parent.name)) for path in found)

    def unsaved(self, project: ProjectId, limit: int) -> Sequence[UnsavedReview]:
        return [
            UnsavedReview(
                TaskId(task),
                VersionName(version),
                _decision(verdict, changes),
                _decision(shown, shown_changes),
                annotation,
                batch,
            )
            for version, task, verdict, changes, shown, shown_changes, annotation, batch in (
                self._read(project, _UNSAVED, (limit,))
            )
        ]

    def unsaved_versions(self, project: ProjectId) -> frozenset[VersionName]:
        rows = self._read(project, "SELECT DISTINCT version FROM unsaved_decisions")
        return frozenset(VersionName(row[0]) for row in rows)

    def begin(self, project: ProjectId, batch: str, reviews: Sequence[UnsavedReview]) -> None:
        query = "UPDATE decisions SET batch = ? WHERE version = ? AND task = ?"
        with self._transaction(project) as database:
            database.executemany(query, [(batch, one.version, one.task) for one in reviews])

    def saved(
        self,
        project: ProjectId,
        review: UnsavedReview,
        annotation: int | None,
        problem: str = "",
    ) -> None:
        shown = review.wanted
        row = (shown.verdict.value, _to_text(shown.changes), annotation, problem)
        with self._transaction(project) as database:
            database.execute(_SAVED, (*row, review.version, review.task))

    def progress(self, project: ProjectId) -> ReviewProgress:
        unsaved, saved = (self._read(project, _COUNT) or [(0, 0)])[0]
        problems = self._read(project, _PROBLEMS, (_PROBLEMS_SHOWN,))
        lines = [f"task {task}: {problem}" for task, problem in problems]
        return ReviewProgress(unsaved, saved, lines)

    def _path(self, project: ProjectId) -> Path:
        return self._projects / str(project) / _NAME

    def _read(
        self,
        project: ProjectId,
        query: str,
        given: Sequence[object] | Mapping[str, object] = (),
    ) -> list[Any]:
        if not self._path(project).is_file():
            return []
        with self._transaction(project) as database:
            return database.execute(query, given).fetchall()

    def _transaction(self, project: ProjectId) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._path(project), _SCHEMA)


def _decision(verdict: str, changes: str) -> ReviewDecision:
    parsed = {int(position): tuple(labels) for position, labels in json.loads(changes).items()}
    return ReviewDecision(ReviewVerdict(verdict), parsed)


def _to_text(changes: Changes) -> str:
    """Return changes as JSON, equal ones as equal text."""
    return json.dumps({str(position): changes[position] for position in sorted(changes)})
