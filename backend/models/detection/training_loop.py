"""Training loop for torchvision's detectors, which come without one."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from backend.domain.steps import Step
from backend.models.detection.letterboxed_dataset import Example, LetterboxedDataset
from backend.models.detection.out_of_memory import with_smaller_batches
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.progress import Progress

WARM_UP = 0.1
"""Share of the training during which the learning rate rises."""

RATE = 0.25
"""Share of the plan's learning rate that heads get; batch statistics are frozen here."""

BACKBONE = 0.1
"""Share of the heads' learning rate that the backbone gets, as in DETR (arXiv 2005.12872)."""

WEIGHT_DECAY = 5e-4
CLIP = 10.0
"""Gradients are clipped to this norm."""


@dataclass(slots=True)
class Schedule:
    """Learning rate schedule over steps or time, whichever is further.

    Linear warm-up, then a cosine (SGDR, arXiv 1608.03983) that reaches zero at the end of the
    training, also when time runs out before all steps are done. `started`: clock at the start.
    """

    steps: int
    seconds: float
    started: float
    step: int = 0

    @property
    def share(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return min(
            1.0,
            max(self.step / self.steps, (time.monotonic() - self.started) / self.seconds),
        )

    @property
    def rate(self) -> float:
        """Learning rate as a share of the highest."""
        rising = (self.step + 1) / max(1.0, WARM_UP * self.steps)
        return min(1.0, rising) * (1 + math.cos(math.pi * self.share)) / 2


@dataclass(slots=True)
class BestCheckpoint:
    """The best weights so far, and the epoch that reached them."""

    fitness: float = -1.0
    epoch: int = 0
    state: Mapping[str, Tensor] | None = None

    def offer(self, fitness: float, epoch: int, module: nn.Module) -> None:
        if fitness > self.fitness:
            self.fitness, self.epoch = fitness, epoch
            self.state = copy.deepcopy(module.state_dict())


@dataclass(frozen=True, slots=True)
class Training:
    """Fine-tunes `module` on `device`.

    `fitness` computes the metric by which the best epoch is chosen; None to keep the last epoch.
    """

    module: nn.Module
    device: str
    plan: TrainingPlan
    fitness: Callable[[], float] | None
    progress: Progress
    seed: int

    def run(self, dataset: LetterboxedDataset) -> int:
        """Train, leave the best weights in the module, and return the number of epochs run."""
        start = copy.deepcopy(self.module.state_dict())
        started = time.monotonic()

        def attempt(batch: int) -> int:
            self.module.load_state_dict(start)
            return self._run(dataset, batch, started)

        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return with_smaller_batches(self.plan.batch, attempt)

    def _run(self, dataset: LetterboxedDataset, batch: int, started: float) -> int:
        loader = DataLoader(dataset, batch, shuffle=True, collate_fn=list)
        schedule = Schedule(self.plan.epochs * len(loader), 60 * self.plan.minutes, started)
        optimizer = torch.optim.AdamW(groups(self.module), weight_decay=WEIGHT_DECAY)
        best = BestCheckpoint()
        epoch = 0
        for epoch in range(1, self.plan.epochs + 1):
            self._epoch(iter(loader), optimizer, schedule, epoch)
            self._validate(best, epoch, over=schedule.share >= 1)
            if schedule.share >= 1 or (self.fitness and epoch - best.epoch >= self.plan.patience):
                break
        if best.state:
            self.module.load_state_dict(best.state)
        return epoch

    def _epoch(
        self,
        batches: Iterator[Sequence[Example]],
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        epoch: int,
    ) -> None:
        set_training_mode(self.module)
        for batch in batches:
            epochs = self.plan.epochs
            self.progress(Step.TRAIN, epoch, epochs, f"epoch {epoch} of {epochs}")
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * self.plan.learning_rate * schedule.rate
            loss = self._loss(batch)
            optimizer.zero_grad()
            if torch.isfinite(loss):
                loss.backward()
                nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)
                optimizer.step()
            schedule.step += 1
            if schedule.share >= 1:
                return

    def _loss(self, batch: Sequence[Example]) -> Tensor:
        cuda = self.device.startswith("cuda")
        half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
        images = [image.to(self.device) for image, _ in batch]
        targets = [{key: part.to(self.device) for key, part in truth.items()} for _, truth in batch]
        with torch.autocast(self.device.split(":", maxsplit=1)[0], torch.bfloat16, enabled=half):
            losses = cast("dict[str, Tensor]", self.module(images, targets))
            return torch.stack(list(losses.values())).sum()

    def _validate(self, best: BestCheckpoint, epoch: int, *, over: bool) -> None:
        due = over or epoch % self.plan.validations == 0
        if self.fitness and due:
            best.offer(self.fitness(), epoch, self.module)


def groups(module: nn.Module) -> list[dict[str, Any]]:
    """Group the weights to train, each group with its share of the plan's learning rate."""
    trained = [(name, part) for name, part in module.named_parameters() if part.requires_grad]
    old = [part for name, part in trained if name.startswith("backbone.")]
    new = [part for name, part in trained if not name.startswith("backbone.")]
    shares = ((old, RATE * BACKBONE), (new, RATE))
    return [{"params": parts, "share": share} for parts, share in shares if parts]


def set_training_mode(module: nn.Module) -> None:
    """Set training mode but keep batch statistics: those of a few images would be worse."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


def freeze(module: nn.Module, share: float) -> None:
    """Freeze the first `share` of the backbone's weights, but not the layers added to it."""
    named: Iterator[tuple[str, nn.Parameter]] = cast(Any, module).backbone.named_parameters()
    weights = [weight for name, weight in named if not name.startswith(("fpn", "extra"))]
    for weight in weights[: round(share * len(weights))]:
        weight.requires_grad = False
