"""Models that were written when they were trained, before their version is published."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import ControlName
from backend.domain.unfinished import KeptControl, KeptTraining
from backend.domain.version_names import control_folder
from backend.ports.images import Fetch
from backend.ports.model_family import Model, TrainingSet
from backend.ports.progress import Progress
from backend.ports.unfinished import KeptWork
from backend.services.labeling_round import LabelingRound
from backend.services.training.train import TrainedModels


@dataclass(frozen=True, slots=True)
class KeptModel:
    """Implements `model_family.Model`; `save` copies the files, which may be slow to make."""

    model: Model
    files: Path
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]
    out_of_fold: PredictionBatch | None

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        return self.model.predict(images, fetch, progress)

    def save(self, folder: Path) -> None:
        shutil.copytree(self.files, folder, dirs_exist_ok=True)


def keep(
    kept: KeptWork, round_: LabelingRound, trained: TrainedModels, remarks: Sequence[str]
) -> TrainedModels:
    """Write what was trained, `remarks` about it included; returns it with models kept there.

    Raises:
        OutOfSpace: when there is no room.
    """
    models = trained.models
    out_of_fold = {
        name: model.out_of_fold for name, model in models.items() if model.out_of_fold is not None
    }
    controls = {
        name: _control(model, trained.training_sets[name]) for name, model in models.items()
    }
    backbone = round_.dataset.labeled.backbone
    kept.keep_training(
        KeptTraining(backbone, controls, trained.unreadable, tuple(remarks)),
        out_of_fold,
        lambda folder: _write(folder, models),
    )
    wrapped = {
        name: KeptModel(model, kept.model(name), model.metrics, model.notes, model.out_of_fold)
        for name, model in models.items()
    }
    return replace(trained, models=wrapped)


def restored(kept: KeptWork, name: ControlName, model: Model, control: KeptControl) -> KeptModel:
    """Return a loaded model with what only a trained one knows."""
    out_of_fold = kept.out_of_fold(name)
    return KeptModel(model, kept.model(name), control.metrics, control.notes, out_of_fold)


def _control(model: Model, training_set: TrainingSet) -> KeptControl:
    train, held_out = training_set.train.tasks, training_set.held_out.tasks
    return KeptControl(train, held_out, model.metrics, model.notes)


def _write(folder: Path, models: Mapping[ControlName, Model]) -> None:
    for name, model in models.items():
        own = control_folder(folder, name)
        own.mkdir()
        model.save(own)
