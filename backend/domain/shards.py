"""Shards: parts of a job's work that any worker of the installation may do."""

from dataclasses import dataclass
from enum import StrEnum

from backend.domain.answers import ImageRef
from backend.domain.ids import ControlName, JobId, ProjectId
from backend.domain.steps import Step


class WorkerQueue(StrEnum):
    """What a worker may take, in order of priority."""

    JOBS = "jobs"
    """Jobs: they train, and divide what is large into shards."""
    SHARDS = "shards"
    """Parts of the jobs that other workers run: embedding, and predicting rectangles."""
    IDLE = "idle"
    """Work for idle times: cleanups, and embedding ahead."""


@dataclass(frozen=True, slots=True)
class PredictingModel:
    """The model by which the images of a shard are predicted.

    `key` names the kept work of the job, `version` the published version, and is empty for the
    model that is being trained.
    """

    control: ControlName
    key: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some images of a job, to be embedded by `backbone`, or predicted by `model` if there is one.

    Numbers count from 0 within a job.
    """

    project: ProjectId
    job: JobId
    number: int
    refs: tuple[ImageRef, ...]
    backbone: str = ""
    model: PredictingModel | None = None

    @property
    def step(self) -> Step:
        """The step of the job that this is a part of."""
        return Step.PREDICT if self.model else Step.EMBED
