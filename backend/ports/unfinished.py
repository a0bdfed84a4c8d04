"""What unfinished jobs have made so far, so that the next job need not do it again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from backend.domain.answers import ImageRef
from backend.domain.batches import PredictionBatch
from backend.domain.ids import ControlName, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job
from backend.domain.steps import Step
from backend.domain.unfinished import KeptTraining, UnfinishedJob


class KeptWork(Protocol):
    """The finished steps of one piece of work, of this job and of earlier ones that broke off."""

    @property
    def key(self) -> str:
        """What the work is opened by."""
        ...

    @property
    def reused(self) -> Sequence[Step]:
        """The steps of which an earlier job's results were taken, in order."""
        ...

    def reuse(self, step: Step) -> None:
        """Note that the results of a step were taken from an earlier job."""
        ...

    def training(self) -> KeptTraining | None:
        """Return the finished training; None if there is none, or it is damaged."""
        ...

    def out_of_fold(self, control: ControlName) -> PredictionBatch | None:
        """Return the cross-validated predictions of a control's training."""
        ...

    def model(self, control: ControlName) -> Path:
        """Return the folder of a control's model."""
        ...

    def keep_training(
        self,
        training: KeptTraining,
        out_of_fold: Mapping[ControlName, PredictionBatch],
        write: Callable[[Path], None],
    ) -> None:
        """Keep a training; `write` writes the models, as for a version. Raises OutOfSpace."""
        ...

    def version(self) -> VersionName | None:
        """Return the version that was published from the training."""
        ...

    def keep_version(self, version: VersionName) -> None:
        """Raises OutOfSpace."""
        ...

    def pushing(self) -> Sequence[TaskId]:
        """Return the tasks of a call to Label Studio whose outcome nobody noted."""
        ...

    def keep_pushing(self, tasks: Sequence[TaskId]) -> None:
        """Note the tasks of a call that begins; none once it has ended. Raises OutOfSpace."""
        ...

    def predictions(
        self, model: str, control: ControlName, refs: Sequence[ImageRef]
    ) -> tuple[Sequence[int], PredictionBatch | None]:
        """Return which of these images a model has predicted, and the predictions of those.

        `model` is a version, or empty for the one that is being trained.
        """
        ...

    def keep_predictions(
        self, model: str, control: ControlName, refs: Sequence[ImageRef], made: PredictionBatch
    ) -> None:
        """Raises OutOfSpace."""
        ...


class UnfinishedJobs(Protocol):
    """The unfinished job of each project, and what it has made."""

    def begin(self, job: Job) -> UnfinishedJob | None:
        """Note that a job begins; returns the one that broke off before it."""
        ...

    def open(self, project: ProjectId, key: str) -> KeptWork:
        """Return the work with this key, and delete that with others.

        The key stands for all that the work depends on.
        """
        ...

    def work(self, project: ProjectId, key: str) -> KeptWork:
        """Return the work with this key, to read it or to add to it; deletes nothing."""
        ...

    def opened(self, project: ProjectId) -> KeptWork | None:
        """Return what was opened last in this process."""
        ...

    def version(self, project: ProjectId) -> VersionName | None:
        """Return the version that an unfinished job of a project published."""
        ...

    def pause(self, job: Job) -> None:
        """Note that a job failed by itself, and keep what it made."""
        ...

    def end(self, job: Job) -> None:
        """Delete what a job made, unless another one has begun meanwhile."""
        ...

    def of(self, project: ProjectId) -> UnfinishedJob | None:
        """Return the unfinished job of a project."""
        ...

    def all(self) -> Sequence[UnfinishedJob]: ...

    def forget(self, project: ProjectId) -> None:
        """Delete the unfinished job of a project, and what it made."""
        ...
