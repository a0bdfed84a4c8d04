"""A trained classifier of whole images: a linear head on frozen or fine-tuned features.

Prediction from cached features needs NumPy only, so the web process can answer without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.schema import Control
from backend.domain.steps import Step
from backend.models.classification.feature_source import FeatureSource
from backend.models.classification.head import Head, write
from backend.ports.images import Fetch
from backend.ports.progress import Progress

BATCH = 8192
"""Images between two reports of progress while predicting."""


class ImageEncoder(Protocol):
    """A fine-tuned backbone; implemented in `finetuned_encoder`, which imports torch."""

    def embed(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> Floats: ...

    def save(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model of one control.

    Attributes:
        control: whose question is answered.
        head: from features to answers.
        metrics: by name.
        notes: what the report says about the training.
        out_of_fold: answers to the images of `TrainingSet.train`, row by row, by heads that did
            not see them; None on a loaded model.
        encoder: a fine-tuned backbone, which replaces the cached features; None if not tuned.
        source: the features that the head was trained on, for images embedded by another encoder.
    """

    control: Control
    head: Head
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]
    out_of_fold: PredictionBatch | None = None
    encoder: ImageEncoder | None = None
    source: FeatureSource = field(default_factory=FeatureSource)

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        """Answer all images from their features, or from their files if the backbone was tuned.

        Raises:
            UnreadableImage: when a file is needed and cannot be read any more.
        """
        logits: list[Floats] = [np.empty((0, len(self.head.labels)), dtype=np.float32)]
        features = (
            self.source.features(images, progress)
            if self.encoder is None
            else self.encoder.embed(images, fetch, progress)
        )
        for start in range(0, len(images), BATCH):
            progress(Step.PREDICT, start, len(images))
            logits.append(self.head.linear.logits(features[start : start + BATCH]))
        return self.head.answer(self.control, np.concatenate(logits))

    def save(self, folder: Path) -> None:
        """Write `head.safetensors`, `head.json` and, if tuned, `encoder.safetensors`.

        An encoder that was fitted to the texts of the project is written beside them.
        """
        write(self.head, {"metrics": self.metrics, "notes": self.notes}, folder)
        self.source.save(folder)
        if self.encoder is not None:
            self.encoder.save(folder)
