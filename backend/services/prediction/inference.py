"""Predict images with all models of a version."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.answers import NoPrediction
from backend.domain.batches import ImageBatch, ProjectPredictions
from backend.domain.errors import UnreadableImage
from backend.policies.prediction_score import prediction_score
from backend.ports.images import ImageFetcher
from backend.ports.progress import Progress
from backend.services.training.train import Models


@dataclass(frozen=True, slots=True)
class Predictor:
    """Runs models over images; one that cannot be read any more costs only itself."""

    extractor: ImageFetcher

    def predict(
        self, models: Models, images: ImageBatch, progress: Progress
    ) -> tuple[ProjectPredictions, Sequence[NoPrediction]]:
        """Predict all images that can be read; the others come back with the reason."""
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
