"""Find the predictions that a person should check first, and say why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from backend.domain.answers import HardExample
from backend.domain.batches import ProjectPredictions
from backend.domain.ids import TaskId
from backend.domain.schema import Control, TaskKind
from backend.domain.versions import Trials
from backend.policies.hard_examples.coefficient import (
    DEFAULT_WEIGHTING,
    MODELARTS_WEIGHTS,
    Weighting,
    hard_examples,
)
from backend.policies.hard_examples.evidence import Evidence
from backend.ports.progress import Progress
from backend.services.prediction.box_statistics import BoxStatistics
from backend.services.prediction.consistency import ConsistencyCheck
from backend.services.training.dataset import Dataset, answered
from backend.services.training.train import Models, TrainedModels
from backend.settings import Settings


@dataclass(frozen=True, slots=True)
class HardExamples:
    """Compares the predictions of a version with the labeled images, for each control."""

    consistency: ConsistencyCheck | None = None
    box_statistics: BoxStatistics | None = None
    weighting: Weighting = field(default=DEFAULT_WEIGHTING)

    def trials(self, trained: TrainedModels, progress: Progress) -> Trials:
        """Find out which augmentations keep the meaning of the images."""
        return self.consistency.trials(trained, progress) if self.consistency else {}

    def find(
        self,
        dataset: Dataset,
        predicted: ProjectPredictions,
        models: Models,
        trials: Trials,
        progress: Progress,
    ) -> Mapping[TaskId, HardExample]:
        """Return the hard examples by task; the coefficients of several controls add up."""
        found: dict[TaskId, HardExample] = {}
        for example in self._examples(dataset, predicted, models, trials, progress):
            before = found.get(example.task)
            found[example.task] = _both(before, example) if before else example
        return found

    def _examples(
        self,
        dataset: Dataset,
        predicted: ProjectPredictions,
        models: Models,
        trials: Trials,
        progress: Progress,
    ) -> Iterable[HardExample]:
        for control in dataset.schema.controls:
            if control.name not in predicted.predictions:
                continue
            shown = predicted.of(control)
            if not len(shown.images):
                continue
            evidence = self._evidence(control, dataset, shown)
            if self.consistency:
                passed = trials.get(control.name, ())
                views = self.consistency.views(
                    control, models[control.name], shown, passed, progress
                )
                evidence = replace(evidence, views=views)
            if self.box_statistics and control.kind is TaskKind.DETECTION:
                evidence = _with_crops(evidence, self.box_statistics, progress)
            yield from hard_examples(evidence, self.weighting)

    def _evidence(
        self, control: Control, dataset: Dataset, predicted: ProjectPredictions
    ) -> Evidence:
        labeled, answers = answered(control, dataset)
        return Evidence(
            control=control,
            images=predicted.images,
            predictions=predicted.predictions[control.name],
            labeled=labeled,
            labeled_answers=answers,
        )


def weighting(settings: Settings) -> Weighting:
    """Return the published weights, changed as the settings say."""
    return Weighting(
        weights={**MODELARTS_WEIGHTS, **settings.hard_weights},
        threshold=settings.hard_threshold,
        max_share=settings.hard_share,
    )


def _with_crops(evidence: Evidence, box_statistics: BoxStatistics, progress: Progress) -> Evidence:
    predictions, labeled = evidence.predictions, evidence.labeled
    newest = np.array(labeled.tasks, dtype=np.float64)
    return replace(
        evidence,
        crops=box_statistics.measure(
            evidence.images.refs, predictions.answers, 1 - predictions.confidence, progress
        ),
        labeled_crops=box_statistics.measure(
            labeled.refs, evidence.labeled_answers, newest, progress
        ),
    )


def _both(one: HardExample, other: HardExample) -> HardExample:
    coefficient = 1 - (1 - one.coefficient) * (1 - other.coefficient)
    return HardExample(one.task, coefficient, one.reasons + other.reasons)
