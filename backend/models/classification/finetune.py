"""Fine-tune the backbone of a classifier. Imports torch.

Training starts from the head on frozen features (linear probing then fine-tuning, LP-FT, Kumar et
al. 2022), since a random head would distort the features. Batch norm keeps its running statistics:
a handful of images is too few to estimate them. One fold is left out of the training, to choose
the best epoch and to compare the tuned model with the frozen one.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from backend.domain.arrays import Floats, Pixels, Rows, Targets
from backend.models.classification import out_of_fold
from backend.models.classification.cross_validation import (
    CrossValidated,
    calibrated_loss,
    fit_known,
)
from backend.models.classification.finetune_config import MOST_IMAGES, FinetuneConfig
from backend.models.classification.finetuned_encoder import (
    BATCH,
    FinetunedEncoder,
    mixed_precision,
    on_device,
)
from backend.models.classification.head import Head
from backend.models.classification.logistic import Linear, Space
from backend.models.classification.progress import ThrottledProgress
from backend.models.embedding.backbone_networks import load_network
from backend.models.link_functions import SOFTMAX, Link
from backend.ports.model_family import TrainingSet

logger = logging.getLogger(__name__)


PATIENCE = 3
"""Training stops after this many epochs without a better log loss."""

BODY_RATE, HEAD_RATE = 1e-4, 1e-3

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
        descent = _GradientDescent(
            encoder, self._frozen(learn, throttled), self.validated.link, self.training_set.seed
        )
        deadline = time.monotonic() + 60 * self.training_set.max_minutes
        return descent.run(images, self.targets[learn], self.targets[check], deadline, throttled)

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

    def _frozen(self, learn: Rows, throttled: ThrottledProgress) -> Linear:
        """Return the calibrated head on frozen features, fitted without the fold left out."""
        space = Space.of(self.training_set.train.features[self.rows[learn]])
        targets = self.targets[learn].astype(np.float32)
        head = space.back(
            fit_known(space.rows, targets, self.validated.link, self.validated.c, throttled)
        )
        slope, offset = self.validated.calibration.slope, self.validated.calibration.offset
        return Linear(head.weights * slope, head.bias * slope + offset)


class _GradientDescent:
    """Trains backbone and head together, and keeps the weights of the best epoch."""

    def __init__(self, encoder: FinetunedEncoder, start: Linear, link: Link, seed: int) -> None:
        self._encoder = encoder
        self._device = encoder.tuning.device
        self._link = link
        self._random = cast(Any, torch).Generator().manual_seed(seed)
        self._weights = self._parameter(start.weights)
        self._bias = self._parameter(start.bias)
        body = list(encoder.network.requires_grad_(True).parameters())
        groups: list[dict[str, Any]] = [
            {"params": body, "lr": BODY_RATE},
            {"params": [self._weights, self._bias], "lr": HEAD_RATE},
        ]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.01)

    def run(
        self,
        images: Pixels,
        learn: Targets,
        check: Targets,
        deadline: float,
        throttled: ThrottledProgress,
    ) -> tuple[Linear, Floats]:
        """Return the head and its logits of the images to check; the network keeps its best epoch.

        Args:
            images: those to learn from, then those to check.
            learn, check: their targets.
            deadline: on the monotonic clock; no epoch begins that would pass it.
            throttled: told about each epoch and each batch.
        """
        epochs = self._encoder.tuning.epochs
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, epochs)
        best, kept, since, slowest = float("inf"), self._snapshot(), 0, 0.0
        for epoch in range(epochs):
            began = time.monotonic()
            if since >= PATIENCE or began + slowest > deadline:
                break
            throttled.next()
            self._epoch(images[: len(learn)], learn, throttled)
            schedule.step()
            loss = calibrated_loss(self._logits(images[len(learn) :]), check, self._link)
            logger.info("fine-tuning: epoch %s, log loss %.4f", epoch + 1, loss)
            since += 1
            if loss < best:
                best, kept, since = loss, self._snapshot(), 0
            slowest = max(slowest, time.monotonic() - began)
        self._restore(kept)
        return self._linear(), self._logits(images[len(learn) :])

    def _epoch(self, images: Pixels, targets: Targets, throttled: ThrottledProgress) -> None:
        order = torch.randperm(len(images), generator=self._random)
        for rows in cast(Any, order).split(BATCH):
            throttled()
            truth = self._tensor(targets[rows.numpy()].astype(np.float32))
            batch = self._varied(self._tensor(images[rows.numpy()]))
            with mixed_precision(self._device):
                features = self._encoder.network(batch)
            loss = self._loss(features @ self._weights + self._bias, truth)
            self._optimizer.zero_grad()
            cast(Any, loss).backward()
            cast(Any, self._optimizer).step()

    def _varied(self, images: Tensor) -> Tensor:
        """Mirror half of the images, and crop to 70 to 100 % of each side."""
        draw = torch.rand((4, len(images)), generator=self._random).to(self._device)
        scale = 0.7 + 0.3 * draw[0]
        shift = (2 * draw[1:3] - 1) * (1 - scale)
        mirror = torch.where(draw[3] < 0.5, -1.0, 1.0)
        empty = torch.zeros_like(scale)
        across = torch.stack([scale * mirror, empty, shift[0]], dim=1)
        down = torch.stack([empty, scale, shift[1]], dim=1)
        planes = images.permute(0, 3, 1, 2).float()
        size = list(planes.shape)
        grid = functional.affine_grid(torch.stack([across, down], dim=1), size, align_corners=False)
        varied = functional.grid_sample(
            planes, grid, padding_mode="reflection", align_corners=False
        )
        return varied.permute(0, 2, 3, 1)

    def _loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        if self._link is SOFTMAX:
            return functional.cross_entropy(logits, truth)
        return functional.binary_cross_entropy_with_logits(logits, truth)

    def _logits(self, images: Pixels) -> Floats:
        return self._linear().logits(self._encoder.features(images))

    def _linear(self) -> Linear:
        weights, bias = (part.detach().cpu().clone() for part in (self._weights, self._bias))
        return Linear(cast(Any, weights).numpy(), cast(Any, bias).numpy())

    def _snapshot(self) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        state = {name: value.clone() for name, value in self._encoder.network.state_dict().items()}
        return state, self._weights.detach().clone(), self._bias.detach().clone()

    def _restore(self, kept: tuple[Mapping[str, Tensor], Tensor, Tensor]) -> None:
        self._encoder.network.load_state_dict(kept[0])
        self._encoder.network.requires_grad_(False)
        with torch.no_grad():
            self._weights.copy_(kept[1])
            self._bias.copy_(kept[2])

    def _parameter(self, values: Floats) -> Tensor:
        return self._tensor(values.astype(np.float32)).requires_grad_(True)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return cast(Any, torch).from_numpy(values).to(self._device)
