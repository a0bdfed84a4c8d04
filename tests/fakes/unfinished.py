"""Kept work of a process that dies, and models that note what they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import TaskId
from backend.domain.jobs import Job
from backend.domain.schema import Control
from backend.domain.steps import Step
from backend.ports.images import Fetch
from backend.ports.model_family import TrainingSet
from backend.ports.progress import Progress
from backend.stores.unfinished import UnfinishedJobFiles
from tests.fakes.models import ParityFamily, ParityModel


class Killed(BaseException):
    """The process is gone: nothing that follows happens."""


class UnfinishedOfTheDead(UnfinishedJobFiles):
    """Real files; once `is_dead`, a job cannot note how it ended."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.is_dead = False

    def pause(self, job: Job) -> None:
        if not self.is_dead:
            super().pause(job)

    def end(self, job: Job) -> None:
        if not self.is_dead:
            super().end(job)


@dataclass
class NotingModel(ParityModel):
    """Notes the tasks of each call in `asked`."""

    asked: list[tuple[TaskId, ...]] = field(default_factory=list)

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        self.asked.append(images.tasks)
        return super().predict(images, fetch, progress)


@dataclass
class NotingFamily(ParityFamily):
    """Its models note what they predict in `asked`, trained ones and loaded ones alike."""

    asked: list[tuple[TaskId, ...]] = field(default_factory=list)

    def fit(self, training_set: TrainingSet) -> NotingModel:
        plain = super().fit(training_set)
        notes = {"seconds": {"fit": 0.5}, "log_loss": 0.25}
        return NotingModel(plain.labels, plain.metrics, notes, asked=self.asked)

    def load(self, folder: Path, control: Control) -> NotingModel:
        return NotingModel(super().load(folder, control).labels, asked=self.asked)


def dying(unfinished: UnfinishedOfTheDead, at: Step) -> Callable[..., None]:
    """Return a `Progress` with which the process dies when this step begins."""

    def progress(step: Step, _done: int, _of: int, _detail: str = "") -> None:
        if step is at:
            unfinished.is_dead = True
            raise Killed

    return progress
