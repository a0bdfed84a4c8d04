"""The training of a round, unless a job that broke off has done it already."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import Answer
from backend.domain.batches import ImageBatch
from backend.domain.errors import BadInput, NoWeights
from backend.domain.ids import TaskId
from backend.domain.steps import Step
from backend.domain.unfinished import KeptControl, KeptTraining
from backend.ports.model_family import TrainingSet
from backend.ports.progress import Progress
from backend.ports.stores import VersionFolders
from backend.ports.unfinished import KeptWork
from backend.services.encoder_upgrade import EncoderUpgrade
from backend.services.labeling_round import LabelingRound
from backend.services.resuming import kept_models
from backend.services.training.dataset import Dataset
from backend.services.training.train import (
    Previous,
    TrainedModels,
    Trainer,
    previous_folders,
)

EarlyTrained = Callable[[Dataset, Previous, Progress], TrainedModels | None]
"""Returns the models of a dataset if they were trained before all tasks were listed."""


@dataclass(frozen=True, slots=True)
class RoundTraining:
    """Trains the models of a round on the better encoder, and keeps them until it ends."""

    trainer: Trainer
    upgrade: EncoderUpgrade
    versions: VersionFolders

    def __call__(
        self, round_: LabelingRound, kept: KeptWork, early: EarlyTrained, progress: Progress
    ) -> tuple[LabelingRound, TrainedModels]:
        """Return the round on the encoder that was chosen, and its models.

        What `early` trained while the tasks were listed is used where it fits.
        """
        found = self._restored(round_, kept, progress)
        if found is None:
            found = self._trained(round_, kept, early, progress)
        else:
            kept.reuse(Step.TRAIN)
        round_, trained = found
        return replace(round_, unreadable=(*round_.unreadable, *trained.unreadable)), trained

    def _trained(
        self, round_: LabelingRound, kept: KeptWork, early: EarlyTrained, progress: Progress
    ) -> tuple[LabelingRound, TrainedModels]:
        previous = previous_folders(round_.current, self.versions)

        def train(dataset: Dataset) -> TrainedModels:
            return self.trainer.train(dataset, round_.request.algorithm, previous, progress)

        known, dataset = len(round_.remarks), round_.dataset
        models = early(dataset, previous, progress) or train(dataset)
        round_, trained = self.upgrade.better(round_, models, train, progress)
        return round_, kept_models.keep(kept, round_, trained, round_.remarks[known:])

    def _restored(
        self, round_: LabelingRound, kept: KeptWork, progress: Progress
    ) -> tuple[LabelingRound, TrainedModels] | None:
        """Return the training that was kept; None if there is none that can be used."""
        training = kept.training()
        if training is None:
            return None
        on = self.upgrade.on(round_, training.backbone, progress)
        if on is None:
            return None
        try:
            trained = self._loaded(on, kept, training, progress)
        except (KeyError, OSError, BadInput, NoWeights):  # an image or a file is gone
            return None
        return replace(on, remarks=(*on.remarks, *training.remarks)), trained

    def _loaded(
        self, round_: LabelingRound, kept: KeptWork, training: KeptTraining, progress: Progress
    ) -> TrainedModels:
        """Raises KeyError where a task of the training is gone, and what loading a model raises."""
        previous = previous_folders(round_.current, self.versions)
        plain = self.trainer.training_sets(
            round_.dataset, round_.request.algorithm, previous, progress
        )
        sets = {name: _as_kept(plain[name], one) for name, one in training.controls.items()}
        models = {
            name: kept_models.restored(
                kept,
                name,
                self.trainer.families[sets[name].control.kind].load(
                    kept.model(name), sets[name].control
                ),
                one,
            )
            for name, one in training.controls.items()
        }
        return TrainedModels(sets, models, training.unreadable)


def _as_kept(training_set: TrainingSet, kept: KeptControl) -> TrainingSet:
    """Return the set with the images that were trained on; some may have been left out since."""
    parts = (
        (training_set.train, training_set.train_answers),
        (training_set.held_out, training_set.held_out_answers),
    )
    (train, learned), (held_out, measured) = (
        _of(tasks, *part) for tasks, part in zip((kept.train, kept.held_out), parts, strict=True)
    )
    return replace(
        training_set,
        train=train,
        train_answers=learned,
        held_out=held_out,
        held_out_answers=measured,
    )


def _of(
    tasks: Sequence[TaskId], images: ImageBatch, answers: Sequence[Answer]
) -> tuple[ImageBatch, Sequence[Answer]]:
    """Raises KeyError."""
    places = {task: row for row, task in enumerate(images.tasks)}
    rows = [places[task] for task in tasks]
    return images.take(rows), [answers[row] for row in rows]
