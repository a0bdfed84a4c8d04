"""Fine-tuning of the backbone, end to end. Imports torch.

Linear probing comes first and is where training starts (LP-FT, Kumar et al. 2022): the head begins
as the frozen one, so the features need not be wrecked to make up for a random head. Batch norm
keeps its running statistics, since a handful of images has none to offer. One fold is left out of
the training; on it the best epoch is picked, and tuned and frozen model are compared.
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
from backend.models.classification.cross_validation import Taught, calibrated_loss, fit_known
from backend.models.classification.finetune_config import Tuning
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
from backend.models.links import SOFTMAX, Link
from backend.ports.model_family import TrainingSet

logger = logging.getLogger(__name__)


MOST = 5000
"""Labeled images above which a random part serves."""

PATIENCE = 3
"""Epochs without a better log loss after which training ends."""

BODY_RATE, HEAD_RATE = 1e-4, 1e-3

MARGIN = 0.95
"""Log loss, as a part of the frozen model's, that the tuned one must reach to be kept: picking
the epoch on the same images flatters it."""

IMAGES_A_SECOND = 12
"""Trained on a CPU with two cores; what a time budget is judged by."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """A tuned encoder with its head; `logits` of the labeled `rows` that it was not trained on."""

    encoder: FinetunedEncoder
    head: Head
    rows: Rows
    logits: Floats


def tune(
    training_set: TrainingSet,
    head: Head,
    taught: Taught,
    targets: Targets,
    rows: Rows,
    tuning: Tuning,
) -> tuple[Tuned | None, Mapping[str, Any]]:
    """The tuned model where it is clearly better than the frozen one, and what was tried.

    Args:
        lesson: whose images are read through `fetch`.
        head: the frozen model's.
        taught: how that one learned; its first fold is left out here.
        flags: (n, K) of the rows of `training_set.train` that `taught` learned from.
        rows: (n,), those rows.
        tuning: what to tune, and where.
    """
    name = f"fine-tuned {tuning.backbone.name}"
    chosen = _part(len(rows), training_set.seed)
    obstacle = _obstacle(len(rows), training_set.max_minutes, tuning)
    if obstacle:
        return None, {"name": name, "kept": False, "reason": obstacle}
    check = chosen[(taught.folds[chosen] == 0) & taught.judged[chosen]]
    learn = chosen[taught.folds[chosen] != 0]
    throttled = ThrottledProgress(training_set.progress, tuning.epochs + 1, "fine-tune")
    throttled.next()
    encoder = FinetunedEncoder(on_device(load_network(tuning.backbone), tuning.device), tuning)
    images = _images(encoder, training_set, rows[np.concatenate([learn, check])], throttled)
    start = _frozen(training_set.train.features[rows[learn]], targets[learn], taught, throttled)
    training = _Training(encoder, start, taught.link, training_set.seed)
    deadline = time.monotonic() + 60 * training_set.max_minutes
    linear, logits = training.run(images, targets[learn], targets[check], deadline, throttled)
    loss = calibrated_loss(logits, targets[check], taught.link)
    frozen = calibrated_loss(taught.out_of_fold[check], targets[check], taught.link)
    entry = {"name": name, "log_loss": round(loss, 4), "frozen_on_the_same": round(frozen, 4)}
    kept = loss < MARGIN * frozen
    if not kept:
        return None, {**entry, "kept": False}
    fitted = out_of_fold.fitted(replace(head, linear=linear), logits, targets[check])
    return Tuned(encoder, fitted, rows[check], logits), {**entry, "kept": True}


def _obstacle(images: int, minutes: float, tuning: Tuning) -> str:
    """Why tuning is not even tried; empty if it is."""
    if images < tuning.fewest:
        return f"{images} labeled images, needs {tuning.fewest}"
    needed = min(images, MOST) * tuning.epochs / IMAGES_A_SECOND / 60
    if tuning.device == "cpu" and needed > minutes:
        return f"would take about {needed:.0f} minutes on this CPU, {minutes:g} are allowed"
    return ""


def _part(images: int, seed: int) -> Rows:
    return np.sort(np.random.default_rng(seed).permutation(images)[:MOST])


def _images(
    encoder: FinetunedEncoder, training_set: TrainingSet, rows: Rows, throttled: ThrottledProgress
) -> Pixels:
    parts: list[Pixels] = []
    for start in range(0, len(rows), BATCH):
        throttled()
        part = training_set.train.take(rows[start : start + BATCH])
        parts.append(encoder.pixels(part.refs, training_set.fetch))
    return np.concatenate(parts)


def _frozen(
    features: Floats, flags: Targets, taught: Taught, throttled: ThrottledProgress
) -> Linear:
    """The frozen head without the fold left out, calibrated."""
    space = Space.of(features)
    targets = flags.astype(np.float32)
    head = space.back(fit_known(space.rows, targets, taught.link, taught.c, throttled))
    slope, offset = taught.calibration.slope, taught.calibration.offset
    return Linear(head.weights * slope, head.bias * slope + offset)


class _Training:
    """One run of gradient descent; keeps the weights of the best epoch."""

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
        """The head, and its logits of the images to check; the network is left at its best.

        Args:
            images: those to learn from, then those to check.
            learn, check: their flags.
            deadline: on the monotonic clock; no epoch begins that would pass it.
            pulse: told about each epoch and each batch.
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
        """Mirrored half of the time, and a crop of 70 to 100 % of each side."""
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
