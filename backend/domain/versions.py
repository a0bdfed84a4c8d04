"""Model versions, and the record of the labels that jobs accepted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from backend.domain.audits import AuditCertificate, OpenAudit, RiskLedger
from backend.domain.ids import (
    AuditId,
    ControlName,
    JobId,
    Label,
    ProjectId,
    TaskId,
    VersionName,
)
from backend.domain.items import ItemKind
from backend.domain.metrics import Metrics
from backend.domain.schema import TaskKind


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What one job accepted, so that it can be undone.

    Attributes:
        version: whose predictions were accepted.
        tasks: those that have an annotation of this job now.
        annotations: their annotations, in the same order.
        audit: that allowed it; None for one from before there were audits.
        certificate: what the job promised about its annotations.
        undone: all annotations were deleted, except those that people had changed.
        pending: tasks of the call to Label Studio that was last begun and whose outcome is not
            known yet. A job that breaks off leaves them behind.
        complete: whether the certificate holds: all that it is about was accepted, and none of it
            was taken back.
    """

    version: VersionName
    tasks: tuple[TaskId, ...]
    annotations: tuple[int, ...]
    audit: AuditId | None = None
    certificate: AuditCertificate | None = None
    undone: bool = False
    pending: tuple[TaskId, ...] = ()
    complete: bool = True

    @property
    def made(self) -> dict[TaskId, int]:
        """The annotation of each task."""
        return dict(zip(self.tasks, self.annotations, strict=False))

    def holding(self, made: Mapping[TaskId, int]) -> "Acceptance":
        """Replace the annotations by these."""
        return replace(self, tasks=tuple(made), annotations=tuple(made.values()))


@dataclass(frozen=True)
class Ledger:
    """The record that makes the promises of all audits of a project hold together.

    Attributes:
        risk: what each test was given, and what it may have left wrong.
        drawn: number of audits drawn so far.
        open_audit: the one that waits for people.
        acceptances: what each job accepted.
        note: what an older data folder held that no longer counts.
        relabeled: accepted annotations that label operations changed, each with the time of that
            change as Label Studio writes it. One changed later is a person's.
    """

    risk: RiskLedger = field(default_factory=RiskLedger)
    drawn: int = 0
    open_audit: OpenAudit | None = None
    acceptances: Mapping[JobId, Acceptance] = field(default_factory=dict["JobId", Acceptance])
    note: str = ""
    relabeled: Mapping[int, str] = field(default_factory=dict["int", "str"])

    @property
    def withheld(self) -> frozenset[TaskId]:
        """Tasks whose predictions nobody may see: the sample of the open audit."""
        return self.open_audit.sample if self.open_audit else frozenset()

    @cached_property
    def accepted(self) -> frozenset[TaskId]:
        """Tasks that were labeled by a model, unless a person has changed the label since.

        Computed once, since it is asked for every labeled image.
        """
        kept = (one for one in self.acceptances.values() if not one.undone)
        return frozenset(task for one in kept for task in (*one.tasks, *one.pending))


@dataclass(frozen=True, slots=True)
class AugmentationTrial:
    """What an augmentation does to right answers about labeled images that the model never saw.

    Attributes:
        number: of the augmentation.
        images: that were answered right.
        changed: of them, those whose augmented copy got another answer.
        used: whether a change of the answer counts as a reason to check an image.
    """

    number: int
    images: int
    changed: int
    used: bool


Trials = Mapping[ControlName, tuple[AugmentationTrial, ...]]
"""Of the augmentations, by control."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A published model: the content of its `card.json`.

    `augmentations` are the trials of each control; one without a trial is not used.
    `certificate` comes from the ledger and is None in the file: a card never changes, while what it
    would promise may be accepted later, in part, or undone. `renamed` is there for controls whose
    model has labels of its own: to which label of the control each of them belongs, "" if to none.
    `items` is what the controls were about.
    """

    name: VersionName
    project: ProjectId
    kinds: Mapping[ControlName, TaskKind]
    labels: Mapping[ControlName, tuple[Label, ...]]
    metrics: Metrics
    trained_on: Mapping[str, int]
    parent: VersionName | None
    created: datetime
    backbone: str
    device: str
    packages: Mapping[str, str]
    promoted: bool = True
    reason: str = ""
    augmentations: Trials = field(default_factory=dict[ControlName, tuple[AugmentationTrial, ...]])
    certificate: AuditCertificate | None = None
    renamed: Mapping[ControlName, Mapping[Label, Label]] = field(
        default_factory=dict["ControlName", "Mapping[Label, Label]"]
    )
    items: ItemKind = ItemKind.IMAGE

    def relabeled(self, mapping: Mapping[Label, Label]) -> "ModelVersion":
        """Return the card after labels turned into others, "" for those that were deleted."""
        renamed = {
            name: {
                own: mapping.get(now, now)
                for own, now in self.renamed.get(name, {one: one for one in labels}).items()
            }
            for name, labels in self.labels.items()
        }
        labels = {
            name: tuple(dict.fromkeys(label for label in names.values() if label))
            for name, names in renamed.items()
        }
        return replace(self, labels=labels, renamed=renamed)


def relabeled_from(
    version: ModelVersion | None, known: Callable[[], Iterable[ModelVersion]]
) -> frozenset[VersionName]:
    """Return the versions that became this one by edits of labels, not by training.

    Label Studio keeps their names on the predictions, whose labels were edited in place. `known`
    reads all versions of the project.
    """
    if version is None or not version.renamed:
        return frozenset()
    cards, found = {card.name: card for card in known()}, set[VersionName]()
    while version and version.renamed and version.parent:
        found.add(version.parent)
        version = cards.get(version.parent)
    return frozenset(found)
