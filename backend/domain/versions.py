"""Model versions, and what a project remembers of the labels that were accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """What one job accepted: the annotations that it made, so that they can be taken back.

    No annotations are known of a job that broke off while it accepted. `spent` are the validation
    images that this acceptance took from the lane.
    """

    version: VersionName
    tasks: tuple[TaskId, ...]
    annotations: tuple[int, ...]
    certificates: tuple[Certificate, ...]
    undone: bool = False
    spent: frozenset[TaskId] = frozenset()


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a project must remember so that the promises of all its rounds hold together.

    `audit`: validation tasks drawn at random, never trained on. `share` of the unlabeled images is
    in it by lot, and of those that are imported later. `before`: labeled when the lane was drawn;
    it does not stand for them. `from_labels`: it was drawn from labels that somebody said were
    random, so every certificate has to say that this was assumed.
    `spent`: those of the lane whose like was accepted, so that they no longer stand for what is
    left. `attempts`: tests made so far, each of which used up a part of the confidence.
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
        """Tasks of the lane that still stand for what is left."""
        return self.audit - self.spent

    @property
    def accepted(self) -> frozenset[TaskId]:
        """Tasks whose annotation is a machine's, not a person's."""
        kept = (one for one in self.acceptances.values() if not one.undone)
        return frozenset(task for one in kept for task in one.tasks)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A published model: the content of its `card.json`."""

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
