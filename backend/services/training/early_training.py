"""Train before the unlabeled tasks are listed: `fast` learns from the labels alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import NoPrediction
from backend.domain.jobs import Algorithm, JobRequest
from backend.domain.schema import LabelSchema, TaskKind
from backend.domain.versions import Ledger, Trials
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Progress
from backend.ports.stores import Ledgers, Versions
from backend.services.project_tasks import ProjectTasks
from backend.services.training.dataset import Dataset, load_dataset
from backend.services.training.train import Previous, TrainedModels, Trainer, previous_folders

SAMPLE = 100
"""Images by which is judged whether all can be loaded at once."""

MOST_MISSING = 2
"""Images of a sample that may be missing: a few that are broken or new do not take long."""


@dataclass(frozen=True, slots=True)
class EarlyData:
    """A dataset, and what it was made from."""

    tasks: ProjectTasks
    ledger: Ledger
    dataset: Dataset
    unreadable: Sequence[NoPrediction]

    def is_of(self, tasks: ProjectTasks, ledger: Ledger, backbone: str) -> bool:
        """Whether the dataset is the one of these tasks."""
        same = self.dataset.labeled.backbone == backbone and self.tasks == tasks
        return same and self.ledger == ledger


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
    """Trains classifiers on labeled images, nearly all of which are embedded already."""

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

    def load(
        self, request: JobRequest, schema: LabelSchema, tasks: ProjectTasks, progress: Progress
    ) -> EarlyData | None:
        """Load the features of all these tasks; None if many images are not embedded yet.

        Raises:
            AutolabelError: where `load_dataset` does.
        """
        kinds = {control.kind for control in schema.controls}
        backbone = self.extractor.choose(kinds, request.algorithm, schema.items)
        everything = [*(one.image for one in tasks.labeled), *tasks.unlabeled]
        sample = everything[:: 1 + len(everything) // SAMPLE]
        refs = [ref.at(place) for place in range(len(schema.images)) for ref in sample]
        if not tasks.labeled or self.extractor.uncached(refs, backbone) > MOST_MISSING:
            return None
        ledger = self.ledgers.load(request.project)
        dataset, unreadable = load_dataset(
            self.extractor, schema, tasks, ledger, progress, backbone
        )
        return EarlyData(tasks, ledger, dataset, unreadable)

    def train(self, request: JobRequest, dataset: Dataset, progress: Progress) -> EarlyModels:
        """Train on the labeled images, and try augmentations on those that are held out.

        Raises:
            AutolabelError: where the training of the job will raise the same.
        """
        current = self.versions.current(request.project)
        previous = previous_folders(current, self.versions)
        trained = self.trainer.train(dataset, request.algorithm, previous, progress)
        trained = replace(trained, trials=self.trials(trained, progress))
        return EarlyModels(trained, dataset, previous)
