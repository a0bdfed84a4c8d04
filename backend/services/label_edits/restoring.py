"""Take a label operation back, from its backup. May be repeated, also after it was broken off.

Only what still is as the operation left it is restored. What people have changed since stays, and
is listed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.domain.errors import NotFound
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.label_edits import LabelEdit
from backend.domain.steps import Step
from backend.domain.version_names import MARKER_PREFIXES
from backend.label_studio import label_config_edit, result_edit
from backend.ports.jobs import AnnotationChanges
from backend.ports.label_studio import LabelEditor, ResultOf, StoredResult
from backend.ports.progress import Progress
from backend.ports.stores import LabelBackups, Ledgers, Versions

IMPORTED_AT_ONCE = 200


@dataclass(slots=True)
class Restored:
    """What a restore brought back, in numbers by kind, and what it left as it is.

    Attributes:
        counts: results, tasks and files brought back.
        left: results that people have changed since the operation.
        remarks: what is not as it was before, in words.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    left: list[StoredResult] = field(default_factory=list[StoredResult])
    remarks: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class LabelRestore:
    """Restores config, results, deleted tasks and files, and the model version."""

    label_studio: LabelEditor
    versions: Versions
    ledgers: Ledgers
    backups: LabelBackups
    changes: AnnotationChanges

    def __call__(self, project: ProjectId, name: str, progress: Progress) -> Restored:
        """Bring back what an operation changed, where nobody has changed it since.

        Deleted tasks come back under new numbers: Label Studio assigns them.

        Raises:
            NotFound: when there is no such backup.
            BadInput: when it is of another project, or Label Studio refuses the former config.
        """
        edit, config = self.backups.edit(project, name)
        rows = list(self.backups.rows(project, name))
        done = Restored()
        former, both = self._configs(project, config, edit, done)
        self.label_studio.set_label_config(project, both)
        self._results(project, edit, _by_result(rows), done, progress)
        done.counts["restored tasks"] = self._tasks(project, name, rows, progress)
        for row in rows:
            if row["what"] == "file":
                done.counts["files"] += self.backups.bring_back(
                    project, name, row["copy"], Path(row["path"])
                )
        if done.counts[ResultOf.DRAFT.value]:
            self.label_studio.recount_labels(project)
        if former != both and self._is_used(project, edit, former):
            done.remarks.append(f"'{edit.into}' stays in the labeling config: it is in use")
        else:
            self.label_studio.set_label_config(project, former)
        self._version(project, rows)
        self.backups.append(project, name, [{"what": "restored"}])
        return done

    def _configs(
        self, project: ProjectId, before: str, edit: LabelEdit, done: Restored
    ) -> tuple[str, str]:
        """Return the config to end with, and the one that also has the labels of now.

        A config that people have changed since the operation only gets back the labels it lacks.
        """
        now = self.label_studio.project(project).label_config
        both = label_config_edit.widened(before, edit)
        if now in {before, both, label_config_edit.edited(before, edit)}:
            return before, both
        done.remarks.append(
            "the labeling config was changed since: it only got missing labels back"
        )
        completed = label_config_edit.completed(now, label_config_edit.labels(before))
        return completed, completed

    def _results(
        self,
        project: ProjectId,
        edit: LabelEdit,
        backed_up: Mapping[StoredResult, Sequence[Sequence[Json]]],
        done: Restored,
        progress: Progress,
    ) -> None:
        for number, (one, befores) in enumerate(backed_up.items()):
            progress(Step.RELABEL, number, len(backed_up))
            now = self.label_studio.current_result(one)
            if now is None:
                continue
            before = _former(befores, edit, list(now.result))
            if before is None:
                done.left.append(one)
            elif before != list(now.result):
                changed = replace(one, result=before)
                moment = self.label_studio.change_result(changed)
                if moment is not None:
                    done.counts[one.of.value] += 1
                    self._note_change(project, changed, moment)

    def _is_used(self, project: ProjectId, edit: LabelEdit, former: str) -> bool:
        """Return whether the label that an operation brought in is in use, and no former one."""
        if any(edit.into in labels for labels in label_config_edit.labels(former).values()):
            return False
        listed = (one for task in self.label_studio.task_results(project) for one in task.results)
        found = (*listed, *self.label_studio.draft_results(project))
        return any(edit.into in result_edit.labels_of(one.result) for one in found)

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


def _by_result(rows: Sequence[Json]) -> Mapping[StoredResult, list[Sequence[Json]]]:
    """Return what each annotation, draft and prediction held before its changes, oldest first.

    There are several where people went on with the old label while the operation ran.
    """
    kinds = {kind.value for kind in ResultOf}
    found = defaultdict[StoredResult, list[Sequence[Json]]](list)
    for row in rows:
        if row["what"] in kinds:
            key = StoredResult(ResultOf(row["what"]), row["id"], TaskId(row["task"]), ())
            found[key].append(row["result"])
    return found


def _former(
    befores: Sequence[Sequence[Json]], edit: LabelEdit, now: Sequence[Json]
) -> Sequence[Json] | None:
    """Return what a result was before the operation; None if people have changed it since."""
    for before in reversed(befores):
        if now in (before, result_edit.edited(before, edit)):
            return before
    return None
