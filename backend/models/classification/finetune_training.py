"""Training loop that fine-tunes a backbone together with its head. Imports torch.

Batch norm keeps its running statistics: a handful of images is too few to estimate them.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from backend.domain.arrays import Floats, Pixels, Targets
from backend.models.classification.cross_validation import calibrated_loss
from backend.models.classification.finetuned_encoder import (
    BATCH,
    FinetunedEncoder,
    mixed_precision,
)
from backend.models.classification.logistic import Linear
from backend.models.classification.progress import ThrottledProgress
from backend.models.link_functions import SOFTMAX, Link

logger = logging.getLogger(__name__)

PATIENCE = 3
"""Training stops after this many epochs without a better log loss."""

BODY_RATE, HEAD_RATE = 1e-4, 1e-3


class FinetuneTraining:
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
