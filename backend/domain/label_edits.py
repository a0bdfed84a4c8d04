"""Changes of labels across a whole project: config, annotations, predictions, model version."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from backend.domain.errors import BadInput
from backend.domain.ids import Label, TaskId, VersionName

DELETED = Label("")
"""What a deleted label turns into; no labeling config has a label without a name."""


class LabelChange(StrEnum):
    """The kinds of change."""

    RENAME = "rename"
    MERGE = "merge"
    DELETE = "delete"
    RESTORE = "restore"
    """Take back an earlier change, from its backup."""


@dataclass(frozen=True, slots=True)
class LabelEdit:
    """One change of labels.

    Attributes:
        change: rename one label, merge several, delete one, or restore.
        labels: the labels that are no more afterwards; for a merge, `into` may be among them.
        into: the label that they turn into; "" when they are deleted.
        with_images: delete the tasks that have no other label, too.
        delete_files: delete their files, too.
        backup: name of the backup to restore.

    Raises:
        BadInput: when fields contradict each other.
    """

    change: LabelChange
    labels: tuple[Label, ...] = ()
    into: Label = DELETED
    with_images: bool = False
    delete_files: bool = False
    backup: str = ""

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise BadInput(f"these labels cannot be changed: {problem}")

    @property
    def mapping(self) -> Mapping[Label, Label]:
        """The label that each label turns into, of those that change; `DELETED` for none."""
        return {label: self.into for label in self.labels if label != self.into}

    @property
    def words(self) -> str:
        """`rename 'dog' to 'Dog'`."""
        names = ", ".join(f"'{label}'" for label in self.labels)
        match self.change:
            case LabelChange.RENAME | LabelChange.MERGE:
                return f"{self.change.value} {names} to '{self.into}'"
            case LabelChange.DELETE:
                tasks = " with its tasks" if self.with_images else ""
                files = " and their files" if self.delete_files else ""
                return f"delete {names}{tasks}{files}"
            case LabelChange.RESTORE:  # pragma: no branch - the last of all changes
                return f"restore {self.backup}"


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How often a label is used: in how many annotations, drafts and predictions.

    `controls` are those whose config has the label; none for a label that only results have.
    """

    label: Label
    controls: tuple[str, ...]
    annotations: int = 0
    drafts: int = 0
    predictions: int = 0


@dataclass(frozen=True, slots=True)
class LabelEditPlan:
    """What an operation would change.

    Attributes:
        edit: the operation.
        annotations: number to change; `drafts` and `predictions` likewise.
        tasks: to be deleted.
        files: to be deleted.
        files_kept: number of images of deleted tasks whose file must not or cannot be deleted.
        version: the current model version, if it gets a successor with the new labels.
        continues: name of the backup of the same operation that broke off; "" for none.
    """

    edit: LabelEdit
    annotations: int = 0
    drafts: int = 0
    predictions: int = 0
    tasks: tuple[TaskId, ...] = ()
    files: tuple[Path, ...] = ()
    files_kept: int = 0
    version: VersionName | None = None
    continues: str = ""


def _problem(edit: LabelEdit) -> str:
    """Return the first contradiction among the fields, "" if there is none."""
    is_restore = edit.change is LabelChange.RESTORE
    is_new_name = edit.change in {LabelChange.RENAME, LabelChange.MERGE}
    is_deletion = edit.change is LabelChange.DELETE
    named = bool(edit.labels) and all(map(str.strip, edit.labels))
    rules = {
        "a restore needs a backup, and only a restore has one": is_restore != bool(edit.backup),
        "a label is missing": not is_restore and not named,
        "the new name is missing": is_new_name and not edit.into.strip(),
        "the old name is the new one": is_new_name and not edit.mapping,
        f"a {edit.change.value} has no new name": not is_new_name and bool(edit.into),
        "a rename has one old name": edit.change is LabelChange.RENAME and len(edit.labels) > 1,
        "only a deletion can delete tasks": edit.with_images and not is_deletion,
        "files are deleted with their tasks only": edit.delete_files and not edit.with_images,
    }
    return next((problem for problem, broken in rules.items() if broken), "")
