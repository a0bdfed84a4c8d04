"""The vocabulary: frozen values, valid by construction.

A *task* is one image in Label Studio; a *control* is one question about it (one `Choices` or
`RectangleLabels` tag); an *answer* is what a person or a model says to one control.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from backend.domain.errors import Reason
from backend.domain.geometry import Box

ProjectId = NewType("ProjectId", int)
TaskId = NewType("TaskId", int)
JobId = NewType("JobId", str)
Label = NewType("Label", str)
VersionName = NewType("VersionName", str)
ControlName = NewType("ControlName", str)

UNTRAINED = VersionName("al-0000-0000")
"""What a project without a model reports as its version."""


class Kind(StrEnum):
    """What a control asks; decides which model family learns it."""

    SINGLE = "classification"
    MULTI = "multilabel"
    DETECTION = "detection"


class Mode(StrEnum):
    """The kinds of job."""

    ACTIVE_LEARNING = "active-learning"
    PRE_LABELING = "pre-labeling"
    GROUPING = "auto-grouping"
    SUGGESTING = "suggesting"


class Algorithm(StrEnum):
    """`fast` learns from labeled images only, `precise` from unlabeled ones too."""

    FAST = "fast"
    PRECISE = "precise"


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_live(self) -> bool:
        """Whether the job may still change."""
        return self in {JobState.QUEUED, JobState.RUNNING, JobState.STOPPING}


# --- what is asked -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Control:
    """One question about the image, as the labeling config states it.

    `labels` are the stored values, in the config's order: where a tag has an `alias`, Label
    Studio stores the alias. `outside_names` maps a pretrained model's class name to a label
    (the tag's `predicted_values`).
    """

    name: ControlName
    image: str
    kind: Kind
    labels: tuple[Label, ...]
    outside_names: Mapping[str, Label] = field(default_factory=dict[str, Label])


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """What a labeling config asks of one image.

    `data_key` is the key of the task's data under which the image's address stands.
    `warnings` names the controls that we leave alone.
    """

    data_key: str
    controls: tuple[Control, ...]
    warnings: tuple[str, ...] = ()

    def control(self, name: str) -> Control | None:
        return next((control for control in self.controls if control.name == name), None)


@dataclass(frozen=True, slots=True)
class Project:
    """A Label Studio project; `label_config` is XML, `model_version` what it shows now."""

    id: ProjectId
    title: str
    label_config: str
    model_version: str
    created_by: int | None = None


# --- what is answered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where a task's image is: the address as it stands in the task's data."""

    task: TaskId
    uri: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels of a whole image. No label at all is an answer where several are allowed."""

    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """One labeled rectangle; `score` is a model's confidence in it, None for a person's."""

    box: Box
    label: Label
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Regions:
    """All rectangles of an image. None at all is an answer: there is nothing to find."""

    regions: tuple[Region, ...]

    @property
    def labels(self) -> tuple[Label, ...]:
        """Each label once, in order of first appearance."""
        return tuple(dict.fromkeys(region.label for region in self.regions))


Answer = Choice | Regions


@dataclass(frozen=True, slots=True)
class LabeledImage:
    """An image with what a person answered, one answer a control.

    `repairs` counts what had to be mended to read the annotation, by kind, such as
    `{"clipped": 1}`.
    """

    image: ImageRef
    answers: Mapping[ControlName, Answer]
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class HardExample:
    """Why a person should look: `coefficient` in [0, 1], reasons as (number, words).

    Numbers are those of ModelArts' `hard_reasons` where they exist.
    """

    task: TaskId
    coefficient: float
    reasons: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """What people read: `hard 0.81: low confidence (0.41); nothing found`."""
        words = "; ".join(words for _, words in self.reasons)
        return f"hard {self.coefficient:.2f}: {words}" if words else f"hard {self.coefficient:.2f}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answers to one image.

    `score` is the calibrated confidence that the whole answer needs no edit, in [0, 1].
    """

    image: ImageRef
    answers: Mapping[ControlName, Answer]
    score: float
    version: VersionName
    size: tuple[int, int] = (0, 0)
    hard: HardExample | None = None
    cluster: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"score of task {self.image.task} is not in [0, 1]: {self.score}")


@dataclass(frozen=True, slots=True)
class NoPrediction:
    """A slot that is filled without an answer, so that results never shift."""

    task: TaskId
    because: str


# --- models and jobs ---------------------------------------------------------------------------


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

    `lane`: validation tasks drawn at random, never trained on. `share` of the unlabeled images is
    in it by lot, and of those that are imported later. `before`: labeled when the lane was drawn;
    it does not stand for them. `from_labels`: it was drawn from labels that somebody said were
    random, so every certificate has to say that this was assumed.
    `spent`: those of the lane whose like was accepted, so that they no longer stand for what is
    left. `attempts`: tests made so far, each of which used up a part of the confidence.
    """

    lane: frozenset[TaskId] = frozenset()
    share: float = 0.0
    before: frozenset[TaskId] = frozenset()
    from_labels: bool = False
    spent: frozenset[TaskId] = frozenset()
    attempts: int = 0
    acceptances: Mapping[JobId, Acceptance] = field(default_factory=dict["JobId", Acceptance])

    @property
    def open(self) -> frozenset[TaskId]:
        """Tasks of the lane that still stand for what is left."""
        return self.lane - self.spent

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
    kinds: Mapping[ControlName, Kind]
    labels: Mapping[ControlName, tuple[Label, ...]]
    metrics: Mapping[str, float]
    trained_on: Mapping[str, int]
    parent: VersionName | None
    created: datetime
    backbone: str
    device: str
    packages: Mapping[str, str]
    promoted: bool = True
    because: str = ""
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What someone asked for. `task_ids` empty means all unlabeled tasks.

    `groups` is how many groups a grouping makes, `count` how many images are suggested.
    """

    project: ProjectId
    mode: Mode = Mode.ACTIVE_LEARNING
    algorithm: Algorithm = Algorithm.FAST
    model_version: VersionName | None = None
    accept: bool = False
    max_error: float = 0.05
    confidence: float = 0.95
    labels_are_random: bool = False
    task_ids: tuple[TaskId, ...] = ()
    groups: int = 20
    count: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.max_error < 1:
            raise ValueError(f"max_error must lie between 0 and 1, not {self.max_error}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence must lie between 0.5 and 1, not {self.confidence}")
        if self.mode is Mode.PRE_LABELING and self.accept and self.labels_are_random:
            raise ValueError(
                "the chosen version may have learned from the labels that are said to be random"
            )


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as the job API shows it. `progress` is in [0, 1]; times are UTC.

    `because` says why the job is where it is, in words; `report` is the content of
    `report.json` once there is one.
    """

    id: JobId
    request: JobRequest
    state: JobState
    progress: float = 0.0
    step: str = ""
    because: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    version: VersionName | None = None
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why."""

    yes: bool
    because: str


@dataclass(frozen=True, slots=True)
class Events:
    """`count` annotations changed between `first` and `last`; `trained` is the last training."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    trained: datetime | None = None


@dataclass(frozen=True, slots=True)
class LabelCount:
    """On how many images people used a label of a control."""

    control: ControlName
    label: Label
    images: int


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """Where a project stands: may a job start, and if not, all the reasons."""

    project: Project
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]
    labels: tuple[LabelCount, ...]
    labeled: int
    unlabeled: int
    version: ModelVersion | None
    job: Job | None
    trigger: Decision | None = None

    @property
    def ready(self) -> bool:
        return not self.reasons
