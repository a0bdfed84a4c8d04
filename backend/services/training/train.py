"""Train one model for each control."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.domain.answers import NoPrediction
from backend.domain.ids import ControlName
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, LabelSchema, TaskKind
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion, Trials
from backend.policies.certification import held_out
from backend.ports.images import Fetch
from backend.ports.model_family import Calibratable, Family, Model, TrainingSet
from backend.ports.progress import Progress
from backend.ports.stores import VersionFolders
from backend.services.training import seen_tasks
from backend.services.training.dataset import Dataset, answered, used_controls
from backend.services.training.fitting import fit
from backend.services.training.relabeled import RelabeledModel, own_control
from backend.settings import Settings

HELD_OUT = 0.2
"""Share of the labeled images that a version is measured on and never trained on."""

CALIBRATED_FROM = 10
"""Labeled images from which on the scores of an imported model are calibrated."""

Models = Mapping[ControlName, Model]
Previous = Mapping[ControlName, Path]
"""Folders of the controls in the current version of the project."""


def previous_folders(current: ModelVersion | None, versions: VersionFolders) -> Previous:
    """Return the folders of the version to start from; none without such a version."""
    if current is None:
        return {}
    return {
        control: versions.folder(current.project, current.name, control)
        for control in current.kinds
    }


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """The models of a round, and the training sets that they were fitted to, by control.

    `unreadable` are labeled images that were lost while the models were trained. `trials` are those
    of augmentations; None if nobody tried them yet.
    """

    training_sets: Mapping[ControlName, TrainingSet]
    models: Models
    unreadable: tuple[NoPrediction, ...] = ()
    trials: Trials | None = None

    @property
    def held_out(self) -> int:
        """Count the images that some control was measured on."""
        return len(
            {
                ref
                for training_set in self.training_sets.values()
                for ref in training_set.held_out.refs
            }
        )


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains and loads models with the model family of each control's kind."""

    families: Mapping[TaskKind, Family]
    settings: Settings
    fetch: Fetch

    def train(
        self, dataset: Dataset, algorithm: Algorithm, previous: Previous, progress: Progress
    ) -> TrainedModels:
        """Fit a model to every control that people used, in the order of the schema.

        Each continues from the folder of its control in `previous`, where there is one.
        """
        fitted = {
            name: fit(self.families[training_set.control.kind], training_set)
            for name, training_set in self.training_sets(
                dataset, algorithm, previous, progress
            ).items()
        }
        return TrainedModels(
            {name: one.training_set for name, one in fitted.items()},
            {name: one.model for name, one in fitted.items()},
            tuple({slot.task: slot for one in fitted.values() for slot in one.unreadable}.values()),
        )

    def training_sets(
        self, dataset: Dataset, algorithm: Algorithm, previous: Previous, progress: Progress
    ) -> Mapping[ControlName, TrainingSet]:
        """Return what each control is trained on; the split is the same at each call."""
        controls = used_controls(dataset)
        return {
            control.name: self._training_set(
                control, dataset, algorithm, previous, _share(progress, turn, len(controls))
            )
            for turn, control in enumerate(controls)
        }

    def load(self, schema: LabelSchema, version: ModelVersion, versions: VersionFolders) -> Models:
        """Load the models of a version, of those controls that the schema still has."""
        return {
            control.name: self._loaded(control, version, versions)
            for control in schema.controls
            if control.name in version.kinds
        }

    def _loaded(self, control: Control, version: ModelVersion, versions: VersionFolders) -> Model:
        folder = versions.folder(version.project, version.name, control.name)
        family, renamed = self.families[control.kind], version.renamed.get(control.name)
        known = version.labels.get(control.name, control.labels)
        if renamed is None and set(known) < set(control.labels):  # the config has new labels
            renamed = {label: label for label in known}
        if renamed is None:
            return family.load(folder, control)
        return RelabeledModel(family.load(folder, own_control(control, renamed)), control, renamed)

    def _training_set(
        self,
        control: Control,
        dataset: Dataset,
        algorithm: Algorithm,
        previous: Previous,
        progress: Progress,
    ) -> TrainingSet:
        images, answers = answered(control, dataset)
        folder = previous.get(control.name)
        past = seen_tasks.read(folder)
        train, set_aside = held_out.split(images.tasks, answers, self.settings.seed, HELD_OUT, past)
        return TrainingSet(
            control=control,
            train=images.take(train),
            train_answers=[answers[int(row)] for row in train],
            held_out=images.take(set_aside),
            held_out_answers=[answers[int(row)] for row in set_aside],
            unlabeled=dataset.unlabeled.of(control.image),
            algorithm=algorithm,
            previous=folder,
            fetch=self.fetch,
            progress=progress,
            seed=self.settings.seed,
            max_minutes=self.settings.max_train_minutes,
        )


def calibrated(models: Models, dataset: Dataset, fetch: Fetch, progress: Progress) -> Models:
    """Calibrate imported models on the labeled images, where there are enough of them."""
    done = dict(models)
    for name, model in models.items():
        control = dataset.schema.control(name)
        if control is None or not isinstance(model, Calibratable):
            continue
        images, answers = answered(control, dataset)
        if len(answers) >= CALIBRATED_FROM:
            done[name] = model.calibrated_on(images, answers, fetch, progress)
    return done


def _share(progress: Progress, turn: int, turns: int) -> Progress:
    """Scale the progress of one of several trainings to the whole step."""

    def report(step: Step, done: int, of: int, detail: str = "") -> None:
        progress(step, turn * of + done, turns * of, detail)

    return report
