"""Jobs: requests, states and results; decisions with their reasons."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from backend.domain.audits import Promise
from backend.domain.errors import BadInput
from backend.domain.ids import JobId, ProjectId, TaskId, VersionName
from backend.domain.json import Json
from backend.domain.label_edits import LabelEdit

FEWEST_GROUPS, MOST_GROUPS = 2, 200
"""As in ModelArts' auto grouping."""

MOST_PICKS = 200
"""Images in one suggestion: more than anyone labels before asking for the next one."""


MOST_CHOSEN = 1_000_000
"""Tasks that a job may be limited to."""


class Mode(StrEnum):
    """The kinds of job."""

    ACTIVE_LEARNING = "active-learning"
    PRE_LABELING = "pre-labeling"
    GROUPING = "auto-grouping"
    SUGGESTING = "suggesting"
    AUDITING = "auditing"
    """Test an audit that people have labeled, and accept what it allows. Trains nothing."""
    UNDO = "undo"
    RELABELING = "relabeling"
    """Rename, merge, delete or restore labels across the project."""


class Algorithm(StrEnum):
    """`fast` learns from labeled images only, `precise` from unlabeled ones too."""

    FAST = "fast"
    PRECISE = "precise"


class JobState(StrEnum):
    """States of a job; `backend.domain.job_events` has the transitions."""

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


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a job is asked to do, with the limits of every field.

    Request parsing, the OpenAPI document, the page's forms and the Data Manager dialog take the
    limits and descriptions from here. Only parsing (`backend.jobs.requests`) enforces the limits
    of single fields; rules about several fields hold for every instance. `undoes` is the job whose
    annotations an undo deletes, `edit` the operation of a relabeling. `by_itself` says that no
    person asked for the job.

    Raises:
        BadInput: when fields contradict each other.
    """

    project: ProjectId
    mode: Mode = Mode.ACTIVE_LEARNING
    algorithm: Algorithm = Algorithm.FAST
    model_version: Annotated[
        VersionName | None,
        Field(
            max_length=64,
            description="The version to use, or the published name of a model to import first; "
            "required for pre-labeling.",
        ),
    ] = None
    accept: Annotated[
        bool, Field(description="Create annotations where the guarantee allows it.")
    ] = False
    max_error: Annotated[
        float, Field(gt=0, lt=1, description="Largest share of labels that may be wrong.")
    ] = 0.05
    promise: Annotated[
        Promise,
        Field(
            description="What at most max_error of may be wrong: all labels of the finished data "
            "set, the accepted ones, or, for rectangles, the accepted boxes (and as many missed)."
        ),
    ] = Promise.DATASET
    confidence: Annotated[
        float, Field(ge=0.5, lt=1, description="Confidence with which max_error holds.")
    ] = 0.95
    labels_are_random: Annotated[
        bool, Field(description="Whether the labeled tasks are a random sample of the project.")
    ] = False
    partial: Annotated[
        bool,
        Field(
            description="Make predictions only where accepted tasks would lack answers to controls "
            "that are not learned."
        ),
    ] = False
    skipped: Annotated[bool, Field(description="Predict skipped tasks, too.")] = False
    task_ids: Annotated[
        tuple[TaskId, ...], Field(max_length=MOST_CHOSEN, description="Empty: all unlabeled tasks.")
    ] = ()
    groups: Annotated[
        int, Field(ge=FEWEST_GROUPS, le=MOST_GROUPS, description="Groups to form when grouping.")
    ] = 20
    count: Annotated[
        int, Field(ge=1, le=MOST_PICKS, description="Tasks to suggest for labeling.")
    ] = 20
    undoes: JobId | None = None
    edit: LabelEdit | None = None
    by_itself: bool = False

    def __post_init__(self) -> None:
        if (self.mode is Mode.RELABELING) != (self.edit is not None):
            raise BadInput(
                "a relabeling needs an operation on labels, and only a relabeling has one",
                "Use autolabel labels PROJECT",
            )
        if (self.mode is Mode.UNDO) != (self.undoes is not None):
            raise BadInput(
                "an undo needs a job, and only an undo has one",
                "Use autolabel undo JOB, or POST /api/jobs/JOB/undo",
            )
        if self.mode is Mode.PRE_LABELING and not self.model_version:
            raise BadInput("pre-labeling needs a model_version", "Name one of the model versions")
        if self.accept and self.skipped:
            raise BadInput(
                "skipped tasks can be predicted, but not accepted: somebody decided about them",
                "Start a job that does not accept, or leave the skipped tasks out",
            )
        if not (self.accept and self.labels_are_random):
            return
        if self.mode is Mode.PRE_LABELING:
            raise BadInput(
                "the chosen version may have been trained on the labels declared to be random",
                "Start an active-learning job, or do not declare that the labels are random",
            )
        if self.task_ids:
            raise BadInput(
                "labels that are a random sample of the project are none of the chosen tasks",
                "Start a job without choosing tasks, or do not declare that the labels are random",
            )


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as the job API shows it. `progress` is in [0, 1]; times are UTC.

    A job in the queue or in a history has no `request.task_ids`, which may be very many: `chosen`
    counts them, and the job gets them when it starts.

    `step` is the value of a `Step`, empty before the first; `detail` says more about it, such as
    `epoch 3 of 17`. `reason` explains the state in words. `report` is the content of
    `report.json` once there is one.
    """

    id: JobId
    request: JobRequest
    state: JobState
    progress: float = 0.0
    step: str = ""
    detail: str = ""
    reason: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    version: VersionName | None = None
    report: Json | None = None
    chosen: int = 0


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job.

    `version` is the model version that it made or used, `reason` says how it ended, `accepted`
    counts the annotations that it made. `sections` are the rest of its report, ready for JSON.
    """

    reason: str
    version: VersionName | None = None
    accepted: int = 0
    sections: Json = field(default_factory=dict[str, "object"])


@dataclass(frozen=True, slots=True)
class Decision:
    """A yes or no with its reason."""

    yes: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Events:
    """Annotations that changed since the last training.

    `last` is the time of the newest change, `trained` the time of the last training.
    """

    count: int = 0
    last: datetime | None = None
    trained: datetime | None = None
