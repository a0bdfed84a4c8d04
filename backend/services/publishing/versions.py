"""Publish what a round trained as a model version, with its card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backend.domain.ids import VersionName
from backend.domain.jobs import Decision
from backend.domain.version_names import control_folder
from backend.domain.versions import ModelVersion, Trials
from backend.ports.images import FeatureExtractor
from backend.ports.stores import Versions
from backend.services.labeling_round import LabelingRound
from backend.services.training import seen_tasks
from backend.services.training.dataset import trained_on
from backend.services.training.train import TrainedModels


@dataclass(frozen=True, slots=True)
class VersionPublisher:
    """Writes versions; `packages` are the installed versions by package, for the card."""

    versions: Versions
    extractor: FeatureExtractor
    packages: Mapping[str, str]
    now: Callable[[], datetime]

    def publish(
        self,
        round_: LabelingRound,
        trained: TrainedModels,
        trials: Trials,
        promoted: Decision,
    ) -> ModelVersion:
        """Write the models and the card of a new version; it is not in use yet."""
        controls = [one for one in round_.schema.controls if one.name in trained.models]

        def card(name: VersionName) -> ModelVersion:
            return ModelVersion(
                name=name,
                project=round_.project,
                kinds={control.name: control.kind for control in controls},
                labels={control.name: control.labels for control in controls},
                metrics={name: dict(model.metrics) for name, model in trained.models.items()},
                trained_on=trained_on(round_.dataset, trained.held_out),
                parent=round_.current.name if round_.current else None,
                created=self.now(),
                backbone=round_.dataset.labeled.backbone,
                device=self.extractor.device,
                packages=self.packages,
                promoted=promoted.yes,
                reason=promoted.reason,
                augmentations=trials,
                items=round_.schema.items,
            )

        return self.versions.publish(
            round_.project, card, lambda folder: _write_models(folder, trained)
        )


def _write_models(folder: Path, trained: TrainedModels) -> None:
    for name, model in trained.models.items():
        own = control_folder(folder, name)
        own.mkdir()
        model.save(own)
        seen_tasks.write(own, trained.training_sets[name])
