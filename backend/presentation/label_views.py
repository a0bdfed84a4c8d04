"""Labels and operations on them, for the terminal, the page and JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from backend.domain.ids import Label, TaskId
from backend.domain.label_edits import LabelChange, LabelEditPlan, LabelUse

LISTED = 10
"""Files and tasks named; of more, the number is shown."""


@dataclass(frozen=True, slots=True)
class LabelUsesJson:
    """The labels of a project."""

    labels: Sequence[LabelUse]

    @classmethod
    def of(cls, uses: Sequence[LabelUse]) -> Self:
        return cls(uses)


@dataclass(frozen=True, slots=True)
class LabelPlanJson:
    """What an operation on labels would change."""

    change: LabelChange
    labels: Sequence[Label]
    into: Label
    annotations: int
    drafts: int
    predictions: int
    tasks: Sequence[TaskId]
    files: Sequence[str]
    summary: Sequence[str]

    @classmethod
    def of(cls, plan: LabelEditPlan) -> Self:
        return cls(
            plan.edit.change,
            plan.edit.labels,
            plan.edit.into,
            plan.annotations,
            plan.drafts,
            plan.predictions,
            plan.tasks,
            [str(path) for path in plan.files],
            list(plan_lines(plan)),
        )


def plan_lines(plan: LabelEditPlan) -> Iterable[str]:
    """Yield what an operation would change, as sentences."""
    if plan.continues:
        yield f"This operation broke off before; it goes on with the backup {plan.continues}."
    yield f"To {plan.edit.words}:"
    yield (
        f"  {plan.annotations} annotations, {plan.drafts} drafts and {plan.predictions} predictions"
        " change."
    )
    if plan.version:
        yield f"  The model version {plan.version} gets a successor with the new labels."
    if plan.tasks and plan.edit.change is LabelChange.RESTORE:
        yield f"  {len(plan.tasks)} deleted tasks come back under new numbers."
    elif plan.tasks:
        yield f"  {len(plan.tasks)} tasks are deleted: {_listed(plan.tasks)}."
    if plan.files:
        yield f"  {len(plan.files)} files are deleted; the backup keeps copies:"
        yield from (f"    {path}" for path in plan.files)
    if plan.edit.delete_files and plan.files_kept:
        yield (
            f"  {plan.files_kept} files are not deleted: they are not local files below"
            " AUTOLABEL_DELETE_FILES_ROOT."
        )


def _listed(tasks: Sequence[TaskId]) -> str:
    more = len(tasks) - LISTED
    named = ", ".join(map(str, tasks[:LISTED]))
    return f"{named} and {more} more" if more > 0 else named
