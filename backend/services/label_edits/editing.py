"""The label operations, as a job: change labels everywhere, or take a change back.

Whatever is changed is in the backup first, and every step may be done again. So a job that was
killed leaves nothing half done: the same operation, started again, goes on with the same backup.

Label Studio may refuse a config that lacks a label in use. So the new label is added first, then
everything changes over, and the old labels are removed last.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.domain.errors import BadInput
from backend.domain.ids import Label, ProjectId, VersionName
from backend.domain.jobs import Job, JobResult
from backend.domain.json import Json
from backend.domain.label_edits import LabelChange, LabelEdit
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.label_studio import label_config_edit, labeling_config, result_edit
from backend.ports.images import SourceFiles
from backend.ports.jobs import AnnotationChanges
from backend.ports.label_studio import LabelEditor, ResultOf, StoredResult, TaskResults
from backend.ports.progress import Progress, Steps
from backend.ports.stores import LabelBackups, Ledgers, StoredPredictions, Versions
from backend.services.label_edits.plan import (
    continued,
    has_no_other_label,
    images_of,
    require_no_audit,
)
from backend.services.label_edits.restoring import LabelRestore, Restored
from backend.services.label_edits.results_in_use import ResultsInUse

AT_ONCE = 200
"""Tasks whose results are backed up together, before they are changed one by one."""

ROUNDS = 3
"""Times that results are changed over, because people go on with the old label meanwhile."""


@dataclass(frozen=True, slots=True)
class LabelEditing:
    """The job of a label operation."""

    label_studio: LabelEditor
    versions: Versions
    stored: StoredPredictions
    ledgers: Ledgers
    backups: LabelBackups
    changes: AnnotationChanges
    files: SourceFiles
    restore: LabelRestore
    in_use: ResultsInUse

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job.

        Raises:
            Refused: while an audit is open, whose frozen predictions have the labels of now.
            BadInput: when the config cannot be changed so, or another operation is unfinished.
        """
        edit, project = job.request.edit, job.request.project
        if edit is None:
            raise BadInput("this job says not what to do with which labels")
        with steps(Step.RELABEL) as progress:
            if edit.change is LabelChange.RESTORE:
                done, name = self.restore(project, edit.backup, progress), edit.backup
            else:
                require_no_audit(self.ledgers.load(project))
                name = self._begin(project, job, edit)
                done = Restored(self._carry_out(project, name, edit, progress))
            self.label_studio.refresh_tabs(project)
        sections = {
            "labels_changed": dict(done.counts),
            "left": [{"task": one.task, "what": one.of.value} for one in done.left],
            "remarks": done.remarks,
            "backup": str(self.backups.path(project, name)),
            "seconds": dict(steps.seconds),
        }
        current = self.versions.current(project)
        return JobResult(_reason(done), current.name if current else None, sections=sections)

    def _begin(self, project: ProjectId, job: Job, edit: LabelEdit) -> str:
        """Begin a backup, or go on with the one of the same operation that broke off."""
        config = self.label_studio.project(project).label_config
        unfinished = self.backups.unfinished(project)
        if unfinished is None:
            label_config_edit.check(config, edit)
            self.backups.begin(project, job.id, edit, config)
            return job.id
        begun, _ = self.backups.edit(project, unfinished)
        if begun != edit:
            raise BadInput(
                f"an earlier operation broke off: {begun.words}",
                "Start it again to finish it, or take it back with: autolabel labels"
                f" {project} restore {unfinished}",
            )
        return unfinished

    def _carry_out(
        self, project: ProjectId, name: str, edit: LabelEdit, progress: Progress
    ) -> Counter[str]:
        config = self.label_studio.project(project).label_config
        both = label_config_edit.widened(config, edit)
        if both != config:
            self.label_studio.set_label_config(project, both)
        # first what is known to have the labels, then whatever else; seldom is there anything
        counts = self._change_results(project, name, edit, edit.mapping, progress)
        for _ in range(ROUNDS):
            found = self._change_results(project, name, edit, (), progress)
            counts += found
            if not found:
                break
        if counts[ResultOf.DRAFT.value]:
            # Label Studio counts labels of drafts up, and down only when it counts them all anew
            self.label_studio.recount_labels(project)
        now = self.label_studio.project(project).label_config
        done = self._without_old(project, name, edit, now)
        if done != now:
            self.label_studio.set_label_config(project, done)
        self._relabel_version(project, name, edit)
        self._delete_files(project, name, labeling_config.parse(done))
        self.backups.append(project, name, [{"what": "done"}])
        return counts

    def _without_old(self, project: ProjectId, name: str, edit: LabelEdit, now: str) -> str:
        """Return the config without the old labels.

        The new label takes the place of the old one, with its color and key, unless a person has
        changed the config meanwhile.
        """
        _, before = self.backups.edit(project, name)
        if now == label_config_edit.widened(before, edit):
            return label_config_edit.edited(before, edit)
        return label_config_edit.edited(now, continued(edit))

    def _change_results(
        self,
        project: ProjectId,
        name: str,
        edit: LabelEdit,
        labels: Collection[Label],
        progress: Progress,
    ) -> Counter[str]:
        """Back up and change what has a label of the operation; returns the numbers, by kind.

        With `labels`, only the tasks are read that may have one of them.
        """
        config = self.label_studio.project(project).label_config
        schema, counts, seen = labeling_config.parse(config), Counter[str](), 0
        for batch in _batches(self.in_use(project, labels)):
            seen += len(batch)
            progress(Step.RELABEL, 0, 1, f"{seen} tasks")
            doomed = [one for one in batch if edit.with_images and has_no_other_label(one, edit)]
            counts["tasks"] += self._delete(project, name, edit, doomed, schema)
            kept = [one for one in batch if one not in doomed]
            used = [
                (one, task.content)
                for task in kept
                for one in task.results
                if result_edit.uses(one.result, edit)
            ]
            counts += self._change(project, name, edit, used, progress)
        drafts = self.label_studio.draft_results(project)
        nothing: Json = {}
        drafted = [(one, nothing) for one in drafts if result_edit.uses(one.result, edit)]
        return counts + self._change(project, name, edit, drafted, progress)

    def _change(
        self,
        project: ProjectId,
        name: str,
        edit: LabelEdit,
        used: Sequence[tuple[StoredResult, Json]],
        progress: Progress,
    ) -> Counter[str]:
        self.backups.append(project, name, [_row(one) for one, _ in used])
        counts = Counter[str]()
        for listed, content in used:
            one = self._as_it_is_now(project, name, listed)
            if one is None or not result_edit.uses(one.result, edit):
                continue
            changed = replace(one, result=result_edit.edited(one.result, edit))
            moment = self.label_studio.change_result(changed)
            if moment is None:
                continue
            counts[one.of.value] += 1
            if one.of is ResultOf.ANNOTATION:
                self.changes.discount(project, 1)
                if one == listed:  # else a person has just changed it
                    self._note_change(project, one, content, moment)
            progress(Step.RELABEL, 0, 1, f"{one.of.value}: {counts[one.of.value]} changed")
        return counts

    def _as_it_is_now(
        self, project: ProjectId, name: str, listed: StoredResult
    ) -> StoredResult | None:
        """Return what people may have saved since it was listed; that is backed up as well."""
        if listed.of is ResultOf.PREDICTION:
            return listed
        now = self.label_studio.current_result(listed)
        if now is not None and now != listed:
            self.backups.append(project, name, [{**_row(now), "newer": True}])
        return now

    def _note_change(
        self, project: ProjectId, one: StoredResult, content: Json, moment: str
    ) -> None:
        """Record that a model's label was changed by us, so that it does not count as a person's.

        Label Studio notes the owner of the token as the one who changed it.
        """
        ledger = self.ledgers.load(project)
        annotations: Sequence[Json] = content["annotations"]
        was: Json = next(row for row in annotations if row["id"] == one.id)
        by_person = was.get("lead_time") is not None or (
            was.get("updated_by") and ledger.relabeled.get(one.id) != was.get("updated_at")
        )
        if one.task in ledger.accepted and not by_person:
            self.ledgers.change(
                project, lambda now: replace(now, relabeled={**now.relabeled, one.id: moment})
            )

    def _delete(
        self,
        project: ProjectId,
        name: str,
        edit: LabelEdit,
        doomed: Sequence[TaskResults],
        schema: LabelSchema,
    ) -> int:
        if not doomed:
            return 0
        rows: list[Json] = [{"what": "task", "task": task.content} for task in doomed]
        for task in doomed if edit.delete_files else ():
            for path in filter(None, map(self.files.find, images_of(task.content, schema))):
                copy = self.backups.keep_file(project, name, path)
                rows.append({"what": "file", "path": str(path), "copy": copy})
        self.backups.append(project, name, rows)
        self.label_studio.delete_tasks(project, [task.task for task in doomed])
        return len(doomed)

    def _delete_files(self, project: ProjectId, name: str, schema: LabelSchema) -> None:
        """Delete the files of the deleted tasks, except those that other tasks show too."""
        rows = [row for row in self.backups.rows(project, name) if row["what"] == "file"]
        if not rows:
            return
        tasks = self.label_studio.task_results(project)
        shown = {self.files.find(uri) for task in tasks for uri in images_of(task.content, schema)}
        for path in {Path(row["path"]) for row in rows} - shown:
            self.files.delete(path)

    def _relabel_version(self, project: ProjectId, name: str, edit: LabelEdit) -> None:
        """Give the current version a successor with the new labels, and make it the current one."""
        current = self.versions.current(project)
        if current is None or _known(current).isdisjoint(edit.mapping):
            return
        new = self._successor(project, name, current.name)
        if new is None:
            new = self.versions.relabel(
                project, current.name, edit.mapping, f"labels of {current.name}: {edit.words}"
            ).name
            row = {"what": "version", "old": current.name, "new": new}
            self.backups.append(project, name, [row])
        self.stored.relabel(project, current.name, new, lambda known: _stored(known, edit, new))
        self.versions.activate(project, new)

    def _successor(self, project: ProjectId, name: str, current: VersionName) -> VersionName | None:
        """Return the successor that was published before the operation broke off."""
        rows = [row for row in self.backups.rows(project, name) if row["what"] == "version"]
        return next((VersionName(row["new"]) for row in rows if row["old"] == current), None)


def _batches(tasks: Iterator[TaskResults]) -> Iterator[list[TaskResults]]:
    batch = list[TaskResults]()
    for task in tasks:
        batch.append(task)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    yield batch


def _row(one: StoredResult) -> Json:
    return {"what": one.of.value, "id": one.id, "task": one.task, "result": list(one.result)}


def _known(version: ModelVersion) -> frozenset[str]:
    return frozenset(label for labels in version.labels.values() for label in labels)


def _stored(prediction: Json, edit: LabelEdit, version: VersionName) -> Json:
    result = result_edit.edited(prediction["result"], edit)
    return {**prediction, "model_version": version, "result": result}


def _reason(done: Restored) -> str:
    """`changed 12 annotations, 1 drafts, 40 predictions; deleted 3 tasks`."""
    counts = done.counts
    changed = [f"{counts[kind.value]} {kind.value}" for kind in ResultOf if counts[kind.value]]
    parts = [f"changed {', '.join(changed)}"] if changed else []
    if counts["tasks"]:
        parts.append(f"deleted {counts['tasks']} tasks")
    if counts["restored tasks"]:
        parts.append(f"brought back {counts['restored tasks']} tasks under new numbers")
    if done.left:
        tasks = sorted({one.task for one in done.left})
        named = ", ".join(map(str, tasks[:10])) + (", …" if len(tasks) > 10 else "")
        parts.append(f"left {len(done.left)} results as people changed them since (tasks {named})")
    return "; ".join(parts) or "changed the labeling config; nothing else used these labels"
