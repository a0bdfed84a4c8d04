"""Jobs: what was asked for, where it stands, and decisions with their reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.domain.ids import JobId, ProjectId, TaskId, VersionName


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

    `reason` says why the job is where it is, in words; `report` is the content of
    `report.json` once there is one.
    """

    id: JobId
    request: JobRequest
    state: JobState
    progress: float = 0.0
    step: str = ""
    reason: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    version: VersionName | None = None
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why."""

    yes: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Events:
    """`count` annotations changed between `first` and `last`; `trained` is the last training."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    trained: datetime | None = None
