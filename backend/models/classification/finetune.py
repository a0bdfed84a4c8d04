"""Fine-tune the backbone of a classifier. Imports torch.

Training starts from the head on frozen features (linear probing then fine-tuning, LP-FT, Kumar et
al. 2022), since a random head would distort the features. One fold is left out of the training, to
choose the best epoch and to compare the tuned model with the frozen one.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.domain.arrays import Floats, Pixels, Rows, Targets
from backend.models.classification import out_of_fold
from backend.models.classification.cross_validation import (
    CrossValidated,
    calibrated_loss,
    fit_known,
)
from backend.models.classification.finetune_config import MOST_IMAGES, FinetuneConfig
from backend.models.classification.finetune_training import FinetuneTraining
from backend.models.classification.finetuned_encoder import (
    BATCH,
    FinetunedEncoder,
    on_device,
)
from backend.models.classification.head import Head
from backend.models.classification.logistic import Linear, Space
from backend.models.classification.progress import ThrottledProgress
from backend.models.embedding.backbone_networks import load_network
from backend.ports.model_family import TrainingSet

MARGIN = 0.95
"""The tuned model must reach this share of the frozen model's log loss to be kept, because the
best epoch was chosen on the same images."""


@dataclass(frozen=True, slots=True)
class FinetunedModel:
    """A tuned encoder and its head; `logits` of the labeled `rows` that it was not trained on."""

    encoder: FinetunedEncoder
    head: Head
    rows: Rows
    logits: Floats


@dataclass(frozen=True, slots=True)
class Attempt:
    """The fine-tuned model, None unless clearly better, and the `entry` for the report."""

    entry: Mapping[str, Any]
    model: FinetunedModel | None = None


@dataclass(frozen=True, slots=True)
class Finetuning:
    """One attempt to fine-tune the backbone of a classifier.

    Attributes:
        training_set: its images are read through `fetch`.
        head: of the frozen model.
        validated: the frozen model's cross-validation; its first fold is left out here.
        targets: (n, K) of the rows of `training_set.train` that the frozen model learned from.
        rows: (n,), those rows.
        config: what to tune, and where.
    """

    training_set: TrainingSet
    head: Head
    validated: CrossValidated
    targets: Targets
    rows: Rows
    config: FinetuneConfig

    def run(self) -> Attempt:
        """Fine-tune, and keep the result if its log loss is below MARGIN of the frozen one's."""
        learn, check = self._split()
        epochs = self.config.epochs
        throttled = ThrottledProgress(self.training_set.progress, epochs + 1, "fine-tune")
        throttled.next()
        network = on_device(load_network(self.config.backbone), self.config.device)
        encoder = FinetunedEncoder(network, self.config)
        linear, logits = self._train(encoder, learn, check, throttled)
        loss = calibrated_loss(logits, self.targets[check], self.validated.link)
        frozen = calibrated_loss(
            self.validated.out_of_fold[check], self.targets[check], self.validated.link
        )
        entry = {
            "name": self.config.name,
            "log_loss": round(loss, 4),
            "frozen_on_the_same": round(frozen, 4),
            "kept": loss < MARGIN * frozen,
        }
        if not entry["kept"]:
            return Attempt(entry)
        start = replace(self.head, linear=linear)
        head = out_of_fold.fitted(start, logits, self.targets[check])
        return Attempt(entry, FinetunedModel(encoder, head, self.rows[check], logits))

    def _split(self) -> tuple[Rows, Rows]:
        """Return positions to learn from and positions to check on (the first fold)."""
        order = np.random.default_rng(self.training_set.seed).permutation(len(self.rows))
        chosen, folds = np.sort(order[:MOST_IMAGES]), self.validated.folds
        check = chosen[(folds[chosen] == 0) & self.validated.scored[chosen]]
        return chosen[folds[chosen] != 0], check

    def _train(
        self, encoder: FinetunedEncoder, learn: Rows, check: Rows, throttled: ThrottledProgress
    ) -> tuple[Linear, Floats]:
        """Return the tuned head, and its logits of the positions to check on."""
        images = self._images(encoder, np.concatenate([learn, check]), throttled)
        training = FinetuneTraining(
            encoder,
            self._frozen(learn, encoder.width, throttled),
            self.validated.link,
            self.training_set.seed,
        )
        deadline = time.monotonic() + 60 * self.training_set.max_minutes
        return training.run(images, self.targets[learn], self.targets[check], deadline, throttled)

    def _images(
        self, encoder: FinetunedEncoder, positions: Rows, throttled: ThrottledProgress
    ) -> Pixels:
        parts: list[Pixels] = []
        for start in range(0, len(positions), BATCH):
            throttled()
            rows = self.rows[positions[start : start + BATCH]]
            refs = self.training_set.train.take(rows).refs
            parts.append(encoder.pixels(refs, self.training_set.fetch))
        return np.concatenate(parts)

    def _frozen(self, learn: Rows, width: int, throttled: ThrottledProgress) -> Linear:
        """Return the calibrated head on frozen features, fitted without the fold left out.

        Of joined features only the first encoder's `width` columns count: it is the tuned one.
        """
        joined = self.training_set.train.features[self.rows[learn]].astype(np.float32)
        first = joined[:, :width]
        lengths = np.linalg.norm(first, axis=1) / np.linalg.norm(joined, axis=1)
        space = Space.of(first / lengths.reshape(-1, 1))
        targets = self.targets[learn].astype(np.float32)
        head = space.back(
            fit_known(space.rows, targets, self.validated.link, self.validated.c, throttled)
        )
        slope, offset = self.validated.calibration.slope, self.validated.calibration.offset
        return Linear(head.weights * slope, head.bias * slope + offset)
