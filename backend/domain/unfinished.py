"""What an unfinished job has made so far, and jobs that broke off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.answers import NoPrediction
from backend.domain.ids import ControlName, JobId, ProjectId, TaskId


@dataclass(frozen=True, slots=True)
class KeptControl:
    """One control of a training; its model is in a folder of its own.

    Attributes:
        train: tasks that the model was trained on.
        held_out: tasks that it was measured on.
        metrics: by name.
        notes: what the report says about the training.
    """

    train: tuple[TaskId, ...]
    held_out: tuple[TaskId, ...]
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeptTraining:
    """A training whose version is not published yet.

    `unreadable` are labeled images that were lost meanwhile, `remarks` sentences for the report.
    """

    backbone: str
    controls: Mapping[ControlName, KeptControl]
    unreadable: tuple[NoPrediction, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnfinishedJob:
    """The job of a project that began last and did not come to its end.

    Attributes:
        deaths: how many jobs before it broke off in a row.
        paused: whether it failed by itself, so that nobody has to notice.
    """

    project: ProjectId
    job: JobId
    deaths: int = 0
    paused: bool = False
