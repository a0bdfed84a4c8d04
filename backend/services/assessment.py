"""Assess a project by one version: predictions and hard examples."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain.answers import HardExample, NoPrediction
from backend.domain.batches import ProjectPredictions
from backend.domain.ids import TaskId
from backend.domain.versions import Trials
from backend.ports.progress import Progress
from backend.services.labeling_round import LabelingRound
from backend.services.prediction.hard_examples import HardExamples
from backend.services.prediction.inference import Predictor
from backend.services.resuming.kept_predictions import KeptPredictions
from backend.services.training.train import Models, TrainedModels


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a version says about a project.

    Attributes:
        predicted: predictions on the unlabeled images, of which none is withheld.
        verdict: what people read about accepting; empty where the job did not ask for it.
    """

    predicted: ProjectPredictions
    hard: Mapping[TaskId, HardExample]
    unreadable: Sequence[NoPrediction]
    verdict: str = ""

    def without(self, tasks: Collection[TaskId]) -> "Assessment":
        """Leave out the predictions of these tasks."""
        hard = {task: example for task, example in self.hard.items() if task not in tasks}
        return replace(self, predicted=self.predicted.without(tasks), hard=hard)


@dataclass(frozen=True, slots=True)
class Assessor:
    """Assesses a project by the models of one version."""

    predictor: Predictor
    hard_examples: HardExamples

    def trials(self, trained: TrainedModels, progress: Progress) -> Trials:
        """Find out which augmentations keep the meaning of the images, unless that is known."""
        known = trained.trials
        return self.hard_examples.trials(trained, progress) if known is None else known

    def assess(
        self,
        round_: LabelingRound,
        models: Models,
        trials: Trials,
        progress: Progress,
        keep: KeptPredictions | None = None,
    ) -> Assessment:
        """Predict all unlabeled images that nobody has to label blind, and find the hard ones."""
        easy = self.predict(round_, models, progress, keep)
        return self.find_hard(round_, easy, models, trials, progress)

    def predict(
        self,
        round_: LabelingRound,
        models: Models,
        progress: Progress,
        keep: KeptPredictions | None = None,
    ) -> Assessment:
        """Predict these images, as if none of them was hard."""
        dataset = round_.dataset
        predicted, unreadable = self.predictor.predict(
            dataset.schema, models, dataset.unlabeled, progress, keep
        )
        return Assessment(predicted, {}, unreadable)

    def find_hard(
        self,
        round_: LabelingRound,
        easy: Assessment,
        models: Models,
        trials: Trials,
        progress: Progress,
    ) -> Assessment:
        """Find the hard ones among the predicted images."""
        hard = self.hard_examples.find(round_.dataset, easy.predicted, models, trials, progress)
        return replace(easy, hard=hard)
