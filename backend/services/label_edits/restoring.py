"""Take a label operation back, from its backup. May be repeated, also after it was broken off."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import NotFound
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.steps import Step
from backend.domain.version_names import MARKER_PREFIXES
from backend.label_studio import label_config_edit
from backend.ports.jobs import AnnotationChanges
from backend.ports.label_studio import LabelEditor, ResultOf, StoredResult
from backend.ports.progress import Progress
from backend.ports.stores import LabelBackups, Ledgers, Versions

IMPORTED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class LabelRestore:
    """Restores config, results, deleted tasks and files, and the model version."""

    label_studio: LabelEditor
    versions: Versions
    ledgers: Ledgers
    backups: LabelBackups
    changes: AnnotationChanges

    def __call__(self, project: ProjectId, name: str, progress: Progress) -> Counter[str]:
        """Bring back what an operation changed; returns the numbers, by kind.

        Deleted tasks come back under new numbers: Label Studio assigns them.

        Raises:
            NotFound: when there is no such backup.
            BadInput: when it is of another project, or Label Studio refuses the former config.
        """
        edit, config = self.backups.edit(project, name)
        rows = list(self.backups.rows(project, name))
        self.label_studio.set_label_config(project, label_config_edit.widened(config, edit))
        counts = self._results(project, _first_of_each(rows), progress)
        counts["restored tasks"] = self._tasks(project, name, rows, progress)
        for row in rows:
            if row["what"] == "file":
                counts["files"] += self.backups.bring_back(
                    project, name, row["copy"], Path(row["path"])
                )
        if counts[ResultOf.DRAFT.value]:
            self.label_studio.recount_labels(project)
        self.label_studio.set_label_config(project, config)
        self._version(project, rows)
        self.backups.append(project, name, [{"what": "restored"}])
        return counts

    def _results(
        self, project: ProjectId, rows: Sequence[Json], progress: Progress
    ) -> Counter[str]:
        counts = Counter[str]()
        for done, row in enumerate(rows):
            progress(Step.RELABEL, done, len(rows))
            of = ResultOf(row["what"])
            one = StoredResult(of, row["id"], TaskId(row["task"]), row["result"])
            moment = self.label_studio.change_result(one)
            if moment is not None:
                counts[of.value] += 1
                self._note_change(project, one, moment)
        return counts

    def _note_change(self, project: ProjectId, one: StoredResult, moment: str) -> None:
        """Record the new time of a change that does not count as a person's."""
        if one.of is not ResultOf.ANNOTATION:
            return
        self.changes.discount(project, 1)
        if one.id in self.ledgers.load(project).relabeled:
            self.ledgers.change(
                project, lambda now: replace(now, relabeled={**now.relabeled, one.id: moment})
            )

    def _tasks(
        self, project: ProjectId, name: str, rows: Sequence[Json], progress: Progress
    ) -> int:
        back = {task for row in rows if row["what"] == "back" for task in row["tasks"]}
        there = {one.task for one in self.label_studio.task_results(project)}
        lost = {row["task"]["id"]: row["task"] for row in rows if row["what"] == "task"}
        back |= self._came_back(project, rows, lost)
        missing = [lost[task] for task in lost if task not in back and task not in there]
        for start in range(0, len(missing), IMPORTED_AT_ONCE):
            progress(Step.RELABEL, start, len(missing), "tasks")
            batch = missing[start : start + IMPORTED_AT_ONCE]
            tasks = [one["id"] for one in batch]
            announced = {"what": "bringing", "tasks": tasks, "after": max(there, default=0)}
            self.backups.append(project, name, [announced])
            self.label_studio.import_tasks(project, [_without_markers(one) for one in batch])
            self.backups.append(project, name, [{"what": "back", "tasks": tasks}])
        return len(missing)

    def _came_back(
        self, project: ProjectId, rows: Sequence[Json], lost: Mapping[int, Json]
    ) -> set[int]:
        """Return the tasks that an import brought back before the restore broke off."""
        done = [row["tasks"] for row in rows if row["what"] == "back"]
        begun = [row for row in rows if row["what"] == "bringing" and row["tasks"] not in done]
        if not begun:
            return set()
        listed = [
            (one.task, one.content["data"]) for one in self.label_studio.task_results(project)
        ]
        return {
            task
            for row in begun
            for task in row["tasks"]
            if any(new > row["after"] and data == lost[task]["data"] for new, data in listed)
        }

    def _version(self, project: ProjectId, rows: Sequence[Json]) -> None:
        """Make the version of before the current one, unless a newer one was trained since."""
        current = self.versions.current(project)
        for row in reversed(rows):
            if row["what"] == "version" and current and row["new"] == current.name:
                try:
                    self.versions.activate(project, VersionName(row["old"]))
                except NotFound:
                    return


def _without_markers(task: Json) -> Json:
    """Return a task without markers, whose lists know it by its former number.

    Label Studio would also show the predictions of a marker's name where none are chosen yet.
    """
    predictions: Sequence[Json] = task["predictions"]
    kept = [
        one
        for one in predictions
        if not str(one.get("model_version") or "").startswith(MARKER_PREFIXES)
    ]
    return {**task, "predictions": kept}


def _first_of_each(rows: Sequence[Json]) -> list[Json]:
    """Return the oldest row of each annotation, draft and prediction.

    A `newer` row holds what a person saved between the listing and the change; it wins.
    """
    oldest: dict[tuple[Any, Any], Mapping[str, Any]] = {}
    for row in _of_results(rows):
        key = row["what"], row["id"]
        oldest[key] = row if row.get("newer") else oldest.get(key, row)
    return list(oldest.values())


def _of_results(rows: Sequence[Json]) -> Iterator[Json]:
    kinds = {kind.value for kind in ResultOf}
    return (row for row in rows if row["what"] in kinds)
