"""Predict images with all models of a version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import NoPrediction
from backend.domain.batches import ImageBatch, Mask, PredictionBatch, ProjectPredictions
from backend.domain.errors import UnreadableImage
from backend.domain.ids import ControlName
from backend.domain.schema import Control, LabelSchema
from backend.policies.prediction_score import prediction_score
from backend.ports.images import ImageFetcher
from backend.ports.model_family import Model
from backend.ports.progress import Progress
from backend.services.resuming.kept_predictions import KeptPredictions
from backend.services.resuming.parts import parts_of, share
from backend.services.training.train import Models


@dataclass(frozen=True, slots=True)
class Predictor:
    """Runs models over images; one that cannot be read any more costs only itself."""

    extractor: ImageFetcher

    def predict(
        self,
        schema: LabelSchema,
        models: Models,
        images: ImageBatch,
        progress: Progress,
        keep: KeptPredictions | None = None,
    ) -> tuple[ProjectPredictions, Sequence[NoPrediction]]:
        """Predict all images that can be read; the others come back with the reason.

        With `keep`, what an earlier job predicted is taken from there.
        """
        try:
            return self._all(schema, models, images, progress, keep), ()
        except UnreadableImage:
            readable, gone = self._readable(images)
            return self._all(schema, models, readable, progress, keep), gone

    def _all(
        self,
        schema: LabelSchema,
        models: Models,
        images: ImageBatch,
        progress: Progress,
        keep: KeptPredictions | None,
    ) -> ProjectPredictions:
        predictions = {
            control.name: self._of_control(
                control, models[control.name], images.of(control.image), progress, keep
            )
            for control in schema.controls
            if control.name in models
        }
        shown = _shown(schema, predictions, len(images))
        confidences = [
            np.where(shown[name], batch.confidence, 1) if name in shown else batch.confidence
            for name, batch in predictions.items()
        ]
        return ProjectPredictions(
            images, predictions, prediction_score(confidences, len(images)), shown
        )

    def _of_control(
        self,
        control: Control,
        model: Model,
        images: ImageBatch,
        progress: Progress,
        keep: KeptPredictions | None,
    ) -> PredictionBatch:
        fetch = self.extractor.fetch
        if keep:
            return keep.predict(control, model, images, fetch, progress)
        made = [
            model.predict(images.take(part), fetch, share(progress, part[0], len(images)))
            for part in parts_of(control, range(len(images)))
        ]
        return made[0].joined(*made[1:]) if made else model.predict(images, fetch, progress)

    def _readable(self, images: ImageBatch) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        kept: list[int] = []
        gone: list[NoPrediction] = []
        for row, ref in enumerate(images.refs):
            try:
                for one in (ref, *(batch.refs[row] for batch in images.others.values())):
                    self.extractor.fetch(one)
                kept.append(row)
            except UnreadableImage as exc:
                gone.append(NoPrediction(ref.task, str(exc)))
        return images.take(kept), gone


def _shown(
    schema: LabelSchema, predictions: Mapping[ControlName, PredictionBatch], images: int
) -> Mapping[ControlName, Mask]:
    """Return on which images each control with a condition shows, beside the predicted answers."""
    conditional = [
        control.name
        for control in schema.controls
        if control.shown_when and control.name in predictions
    ]
    if not conditional:
        return {}
    rows = [
        schema.shown({name: batch.answers[row] for name, batch in predictions.items()})
        for row in range(images)
    ]
    return {name: np.array([name in row for row in rows], dtype=np.bool_) for name in conditional}
