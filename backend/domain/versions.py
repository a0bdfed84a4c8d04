"""Model versions, and the record of the labels that jobs accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from backend.domain.ids import ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.metrics import Metrics
from backend.domain.schema import TaskKind


@dataclass(frozen=True, slots=True)
class Certificate:
    """A promise about accepted labels, and the sample that it rests on.

    With confidence `confidence` (0 to 1), at most `error_rate` of the labels accepted at score
    `threshold` or more are wrong. `accepted` validation images stood above the threshold,
    `mistakes` of them were wrong, out of `sample` validation images. `label` is the only one that
    the promise is about; None: all.
    """

    threshold: float
    error_rate: float
    confidence: float
    accepted: int
    mistakes: int
    sample: int
    promise: str
    assumption: str = ""
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What one job accepted, so that it can be undone.

    Attributes:
        version: whose predictions were accepted.
        tasks: those that have an annotation of this job now.
        annotations: their annotations, in the same order.
        certificates: what the job promised about its annotations.
        undone: all annotations were deleted, except those that people had changed.
        spent: the validation images that this acceptance took from the audit sample.
        pending: tasks of the call to Label Studio that was last begun and whose outcome is not
            known yet. A job that breaks off leaves them behind.
        complete: whether the certificates hold: all that they are about was accepted, and none of
            it was taken back.
    """

    version: VersionName
    tasks: tuple[TaskId, ...]
    annotations: tuple[int, ...]
    certificates: tuple[Certificate, ...]
    undone: bool = False
    spent: frozenset[TaskId] = frozenset()
    pending: tuple[TaskId, ...] = ()
    complete: bool = True

    @property
    def made(self) -> dict[TaskId, int]:
        """The annotation of each task."""
        return dict(zip(self.tasks, self.annotations, strict=False))

    def holding(self, made: Mapping[TaskId, int]) -> "Acceptance":
        """Replace the annotations by these."""
        return replace(self, tasks=tuple(made), annotations=tuple(made.values()))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The record that makes the promises of all rounds of a project hold together.

    Attributes:
        audit: the audit sample, drawn at random and never trained on.
        share: sampling rate of the unlabeled images, and of those imported later.
        before: tasks labeled before the sample was drawn, which it does not represent.
        from_labels: the sample was drawn from labels declared to be random; every certificate has
            to state this assumption.
        spent: members within an accepted region. They represent nothing any more.
        attempts: tests made so far, each of which used up a part of the confidence.
        acceptances: what each job accepted.
    """

    audit: frozenset[TaskId] = frozenset()
    share: float = 0.0
    before: frozenset[TaskId] = frozenset()
    from_labels: bool = False
    spent: frozenset[TaskId] = frozenset()
    attempts: int = 0
    acceptances: Mapping[JobId, Acceptance] = field(default_factory=dict["JobId", Acceptance])

    @property
    def open(self) -> frozenset[TaskId]:
        """Members of the audit sample that still represent the unlabeled images."""
        return self.audit - self.spent

    @property
    def accepted(self) -> frozenset[TaskId]:
        """Tasks that were labeled by a model, unless a person has changed the label since."""
        kept = (one for one in self.acceptances.values() if not one.undone)
        return frozenset(task for one in kept for task in (*one.tasks, *one.pending))


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A published model: the content of its `card.json`.

    `certificate` comes from the ledger and is None in the file: a card never changes, while what it
    would promise may be accepted later, in part, or undone.
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
    certificate: Certificate | None = None
