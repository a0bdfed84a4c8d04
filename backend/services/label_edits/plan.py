"""What a label operation would change, counted before anything is changed."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain.errors import Reason, ReasonCode, Refused
from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.label_edits import LabelChange, LabelEdit, LabelEditPlan, LabelUse
from backend.domain.schema import LabelSchema
from backend.domain.versions import Ledger
from backend.label_studio import codec, label_config_edit, labeling_config, result_edit
from backend.ports.images import SourceFiles
from backend.ports.label_studio import LabelEditor, ResultOf, TaskResults
from backend.ports.stores import LabelBackups, Ledgers, PublishedVersions
from backend.services.label_edits.results_in_use import ResultsInUse


@dataclass(slots=True)
class _Tally:
    changed: Counter[ResultOf] = field(default_factory=Counter[ResultOf])
    tasks: list[TaskId] = field(default_factory=list[TaskId])
    files: list[Path | None] = field(default_factory=list["Path | None"])


@dataclass(frozen=True, slots=True)
class LabelPlanner:
    """Counts the labels of a project, and what an operation on them would change."""

    label_studio: LabelEditor
    versions: PublishedVersions
    ledgers: Ledgers
    backups: LabelBackups
    files: SourceFiles
    in_use: ResultsInUse

    def used(self, project: ProjectId, progress: Callable[[int], None]) -> Sequence[LabelUse]:
        """Return the use of each label: first those of the config, then those it does not have."""
        config = self.label_studio.project(project).label_config
        counts = {kind: Counter[Label]() for kind in ResultOf}
        for done, task in enumerate(self.in_use(project), 1):
            progress(done)
            for one in task.results:
                counts[one.of].update({*result_edit.labels_of(one.result)})
        for one in self.label_studio.draft_results(project):
            counts[one.of].update({*result_edit.labels_of(one.result)})
        controls = label_config_edit.labels(config)
        known = dict.fromkeys(label for labels in controls.values() for label in labels)
        others = sorted(set[Label]().union(*counts.values()) - known.keys())
        return [
            LabelUse(
                label,
                tuple(name for name, labels in controls.items() if label in labels),
                counts[ResultOf.ANNOTATION][label],
                counts[ResultOf.DRAFT][label],
                counts[ResultOf.PREDICTION][label],
            )
            for label in (*known, *others)
        ]

    def plan(
        self, project: ProjectId, edit: LabelEdit, progress: Callable[[int], None]
    ) -> LabelEditPlan:
        """Return what an operation would change.

        Raises as `check` does.
        """
        if edit.change is LabelChange.RESTORE:
            return self._restored(project, edit)
        config, continues = self.check(project, edit), self._continues(project, edit)
        schema, tally = labeling_config.parse(config), _Tally()
        for done, task in enumerate(self.in_use(project, edit.mapping), 1):
            progress(done)
            self._count(task, edit, schema, tally)
        drafts = self.label_studio.draft_results(project)
        found = [path for path in tally.files if path]
        return LabelEditPlan(
            edit,
            tally.changed[ResultOf.ANNOTATION],
            sum(result_edit.uses(one.result, edit) for one in drafts),
            tally.changed[ResultOf.PREDICTION],
            tuple(tally.tasks),
            tuple(found),
            len(tally.files) - len(found),
            self._version(project, edit),
            continues,
        )

    def check(self, project: ProjectId, edit: LabelEdit) -> str:
        """Check that an operation may begin; returns the labeling config.

        Raises:
            BadInput: when the labeling config cannot be changed so.
            NotFound: when there is no backup to restore.
            Refused: while an audit is open.
        """
        config = self.label_studio.project(project).label_config
        if edit.change is LabelChange.RESTORE:
            self.backups.edit(project, edit.backup)
        else:
            is_begun = bool(self._continues(project, edit))
            label_config_edit.check(config, continued(edit) if is_begun else edit)
            require_no_audit(self.ledgers.load(project))
        return config

    def _count(
        self, task: TaskResults, edit: LabelEdit, schema: LabelSchema, tally: _Tally
    ) -> None:
        if edit.with_images and has_no_other_label(task, edit):
            tally.tasks.append(task.task)
            if edit.delete_files:
                tally.files += map(self.files.find, images_of(task.content, schema))
            return
        tally.changed.update(one.of for one in task.results if result_edit.uses(one.result, edit))

    def _continues(self, project: ProjectId, edit: LabelEdit) -> str:
        name = self.backups.unfinished(project)
        return name if name and self.backups.edit(project, name)[0] == edit else ""

    def _version(self, project: ProjectId, edit: LabelEdit) -> VersionName | None:
        current = self.versions.current(project)
        if current is None:
            return None
        known = {label for labels in current.labels.values() for label in labels}
        return None if known.isdisjoint(edit.mapping) else current.name

    def _restored(self, project: ProjectId, edit: LabelEdit) -> LabelEditPlan:
        counts = Counter(str(row["what"]) for row in self.backups.rows(project, edit.backup))
        tasks = [
            TaskId(row["task"]["id"])
            for row in self.backups.rows(project, edit.backup)
            if row["what"] == "task"
        ]
        return LabelEditPlan(
            edit, counts["annotations"], counts["drafts"], counts["predictions"], tuple(tasks)
        )


def require_no_audit(ledger: Ledger) -> None:
    """Raise Refused while an audit is open: its frozen predictions have the labels of now."""
    if ledger.open_audit:
        message = f"audit {ledger.open_audit.id} is open, and its predictions have these labels"
        hint = "Label its images in the tab Audit first"
        raise Refused([Reason(ReasonCode.AUDIT_IS_OPEN, message, hint=hint)])


def continued(edit: LabelEdit) -> LabelEdit:
    """Return an operation that may find the new label in the config: it was begun before."""
    if edit.change is not LabelChange.RENAME:
        return edit
    return LabelEdit(LabelChange.MERGE, edit.labels, edit.into)


def has_no_other_label(task: TaskResults, edit: LabelEdit) -> bool:
    """Whether people gave an image labels of the operation, and no others."""
    given = {
        label
        for one in task.results
        if one.of is ResultOf.ANNOTATION
        for label in result_edit.labels_of(one.result)
    }
    return bool(given) and given <= edit.mapping.keys()


def images_of(content: Json, schema: LabelSchema) -> tuple[str, ...]:
    """Return the addresses of a task's images."""
    ref = codec.image_ref(content, schema)
    return tuple(uri for uri in (ref.uri, *ref.others) if uri)
