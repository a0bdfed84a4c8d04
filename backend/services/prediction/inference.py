"""Label the unlabeled: guesses, hard examples, predictions in Label Studio.

Shared by both kinds of job. Everything is pushed before anything is switched, so a job that ends
early leaves what people see as it was.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backend.domain.answers import HardExample, NoPrediction, Prediction
from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.errors import UnreadableImage
from backend.domain.ids import ControlName, TaskId, VersionName
from backend.policies.prediction_score import prediction_score
from backend.ports.images import ImageFetcher
from backend.ports.progress import Progress
from backend.services.training.train import Models


@dataclass(frozen=True, slots=True)
class ProjectPredictions:
    """What all models of a version say about some pictures.

    `score` (n,) as in `policies/prediction_score.py`.
    """

    images: ImageBatch
    predictions: Mapping[ControlName, PredictionBatch]
    score: Floats

    def without(self, tasks: Collection[TaskId]) -> "ProjectPredictions":
        """The same but for these tasks."""
        rows = [row for row, task in enumerate(self.images.tasks) if task not in tasks]
        predictions = {name: said.take(rows) for name, said in self.predictions.items()}
        return ProjectPredictions(self.images.take(rows), predictions, self.score[rows])

    def prediction(
        self, row: int, version: VersionName, hard: HardExample | None = None
    ) -> Prediction:
        width, height = self.images.image_stats[row, :2]
        return Prediction(
            image=self.images.refs[row],
            answers={
                name: predictions.answers[row] for name, predictions in self.predictions.items()
            },
            score=float(self.score[row]),
            version=version,
            size=(int(width), int(height)),
            hard=hard,
        )


@dataclass(frozen=True, slots=True)
class Predictor:
    """Runs models over pictures; an image that went away costs only itself."""

    extractor: ImageFetcher

    def predict(
        self, models: Models, images: ImageBatch, progress: Progress
    ) -> tuple[ProjectPredictions, Sequence[NoPrediction]]:
        """Guesses for all pictures that can still be read, and the others with why not."""
        try:
            return self._all(models, images, progress), ()
        except UnreadableImage:
            return self._readable(models, images, progress)

    def _all(self, models: Models, images: ImageBatch, progress: Progress) -> ProjectPredictions:
        predictions = {
            name: model.predict(images, self.extractor.fetch, progress)
            for name, model in models.items()
        }
        confidences = [batch.confidence for batch in predictions.values()]
        score = prediction_score(confidences, len(images))
        return ProjectPredictions(images, predictions, score)

    def _readable(
        self, models: Models, images: ImageBatch, progress: Progress
    ) -> tuple[ProjectPredictions, Sequence[NoPrediction]]:
        kept: list[int] = []
        gone: list[NoPrediction] = []
        for row, ref in enumerate(images.refs):
            try:
                self.extractor.fetch(ref)
                kept.append(row)
            except UnreadableImage as exc:
                gone.append(NoPrediction(ref.task, str(exc)))
        return self._all(models, images.take(kept), progress), gone
