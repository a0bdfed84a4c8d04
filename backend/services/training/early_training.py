"""Train while Label Studio lists the unlabeled tasks: `fast` learns from the labels alone.

Label Studio lists 1,000 tasks in half a second, in which a job would only wait. What was trained
meanwhile is used if the job turns out to train on the same labels; else it trains as always.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

from backend.domain.jobs import Algorithm, JobRequest
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.steps import Step
from backend.domain.versions import Trials
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.ports.stores import Ledgers, Versions
from backend.services.project_tasks import LONG_LIST, ProjectTasks
from backend.services.side_work import SideThread
from backend.services.training.dataset import Dataset, load_dataset
from backend.services.training.train import Previous, TrainedModels, Trainer, previous_folders

HEARTBEAT = 0.5
"""Seconds between two reports of progress while waiting for the training."""


@dataclass(frozen=True, slots=True)
class EarlyModels:
    """What was trained, on which labels, starting from which folders."""

    trained: TrainedModels
    dataset: Dataset
    previous: Previous

    def on(self, dataset: Dataset, previous: Previous, progress: Progress) -> TrainedModels | None:
        """Return the models as those of this dataset; None if it has other labels or images."""
        mine, theirs = self.dataset.labeled, dataset.labeled
        same = (mine.backbone, mine.refs) == (theirs.backbone, theirs.refs)
        if not same or self.previous != previous or self.dataset.annotations != dataset.annotations:
            return None
        sets = {
            name: replace(one, unlabeled=dataset.unlabeled.of(one.control.image), progress=progress)
            for name, one in self.trained.training_sets.items()
        }
        return replace(self.trained, training_sets=sets)


@dataclass(frozen=True, slots=True)
class EarlyTrainer:
    """Trains classifiers on labeled images that are embedded already."""

    extractor: FeatureExtractor
    ledgers: Ledgers
    versions: Versions
    trainer: Trainer
    trials: Callable[[TrainedModels, Progress], Trials]

    def fits(self, request: JobRequest, schema: LabelSchema) -> bool:
        """Whether a training needs nothing but the labels, all of them, and some seconds.

        Detectors take minutes, and an encoder of texts may be fitted to the unlabeled ones too.
        """
        kinds = {control.kind for control in schema.controls}
        return (
            request.algorithm is Algorithm.FAST
            and not request.labels_are_random
            and not schema.items.is_text
            and TaskKind.DETECTION not in kinds
        )

    def train(
        self, request: JobRequest, schema: LabelSchema, tasks: ProjectTasks, progress: Progress
    ) -> EarlyModels | None:
        """Train on the labeled tasks, and try augmentations on those that are held out.

        None if some of their images are not embedded yet.

        Raises:
            AutolabelError: where the training of the job will raise the same.
        """
        kinds = {control.kind for control in schema.controls}
        backbone = self.extractor.choose(kinds, request.algorithm, schema.items)
        places = range(len(schema.images))
        refs = [one.image.at(place) for place in places for one in tasks.labeled]
        if not refs or self.extractor.uncached(refs, backbone):
            return None
        ledger = self.ledgers.load(request.project)
        dataset, _ = load_dataset(self.extractor, schema, tasks, ledger, progress, backbone)
        current = self.versions.current(request.project)
        previous = previous_folders(current, self.versions)
        trained = self.trainer.train(dataset, request.algorithm, previous, progress)
        trained = replace(trained, trials=self.trials(trained, progress))
        return EarlyModels(trained, dataset, previous)


class EarlyTraining(SideThread):
    """A training in a thread of its own, which ends with the block at the latest.

    with EarlyTraining(trainer, request, schema) as early:
        ...  # list the labeled tasks
        early.begin(labeled)
        ...  # list the others
        models = early.models(dataset, previous, progress) or train(dataset)
    """

    def __init__(self, trainer: EarlyTrainer, request: JobRequest, schema: LabelSchema) -> None:
        super().__init__("early-training")
        self._trainer = trainer
        self._request = request
        self._schema = schema
        self._training: Future[EarlyModels | None] | None = None
        self._reported: tuple[int, int, str] = (0, 1, "")

    def begin(self, tasks: ProjectTasks, unlabeled: int) -> None:
        """Begin to train on these tasks, if listing so many `unlabeled` ones takes long enough."""
        if unlabeled >= LONG_LIST and self._trainer.fits(self._request, self._schema):
            self._training = self.submit(
                lambda: self._trainer.train(self._request, self._schema, tasks, self._note)
            )

    def models(
        self, dataset: Dataset, previous: Previous, progress: Progress
    ) -> TrainedModels | None:
        """Wait for the models; None if there are none of just this dataset.

        A training that failed counts as none: the one of the job will tell why.

        Raises:
            Stopped: from `progress`.
        """
        if self._training is None:
            return None
        while wait([self._training], timeout=HEARTBEAT).not_done:
            progress(Step.TRAIN, *self._reported)
        early = None if self._training.exception() else self._training.result()
        return early.on(dataset, previous, progress) if early else None

    def _note(self, step: Step, done: int, of: int, detail: str = "") -> None:
        """Note progress for those who wait; raises Stopped once nobody does."""
        self.go_on()
        if step is Step.TRAIN:
            self._reported = done, of, detail
