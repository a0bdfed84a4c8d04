"""The training loop of the engines whose library comes without one."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from backend.domain.steps import Step
from backend.models.detection.letterboxed_dataset import Example, LetterboxedDataset
from backend.models.detection.out_of_memory import with_smaller_batches
from backend.models.detection.schedules import Schedule
from backend.models.detection.training_plan import TrainingPlan
from backend.models.detection.weight_average import WeightAverage
from backend.ports.progress import Progress

BEGUN = 0.05
"""mAP50 from which a network has begun to learn its labels. Before, with new heads, the lack of a
gain neither lowers the rate nor ends the training."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the networks of a library are fine-tuned.

    `backbone`: prefix of the backbone's weights. `rate`: share of the plan's learning rate that
    all other weights get; `backbone_rate`: share of `rate` that the backbone gets. `clip`: norm to
    which gradients are clipped. `averages`: whether to keep a moving average of the weights.
    """

    backbone: str
    rate: float
    backbone_rate: float
    weight_decay: float
    clip: float
    schedule: type[Schedule]
    averages: bool

    def groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Group the weights to train, each group with its share of the plan's learning rate."""
        trained = [(name, part) for name, part in module.named_parameters() if part.requires_grad]
        old = [part for name, part in trained if name.startswith(self.backbone)]
        new = [part for name, part in trained if not name.startswith(self.backbone)]
        shares = ((old, self.rate * self.backbone_rate), (new, self.rate))
        return [{"params": parts, "share": share} for parts, share in shares if parts]

    def freeze(self, module: nn.Module, share: float) -> None:
        """Freeze the first `share` of the backbone's weights, but not the layers added to it."""
        added = tuple(self.backbone + name for name in ("fpn", "extra"))
        weights = [
            weight
            for name, weight in module.named_parameters()
            if name.startswith(self.backbone) and not name.startswith(added)
        ]
        for weight in weights[: round(share * len(weights))]:
            weight.requires_grad = False


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
    """Fine-tunes `module` by a recipe and a plan.

    `loss` computes the loss of a batch. `fitness` computes the metric by which the best epoch is
    chosen; None to keep the last epoch.
    """

    module: nn.Module
    recipe: Recipe
    plan: TrainingPlan
    loss: Callable[[Sequence[Example]], Tensor]
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
        steps, seconds = self.plan.epochs * len(loader), 60 * self.plan.minutes
        schedule = self.recipe.schedule(steps, seconds, started)
        groups = self.recipe.groups(self.module)
        optimizer = torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay)
        average = WeightAverage(self.module) if self.recipe.averages else None
        best = BestCheckpoint()
        epoch = 0
        for epoch in range(1, self.plan.epochs + 1):
            loss = self._epoch(iter(loader), optimizer, schedule, average, epoch)
            with average.applied() if average else nullcontext():
                self._assess(best, schedule, epoch, loss)
            is_stuck = best.fitness >= BEGUN and epoch - best.epoch >= self.plan.patience
            if schedule.is_over or is_stuck:
                break
        if best.state:
            self.module.load_state_dict(best.state)
        elif average:
            average.apply()
        return epoch

    def _epoch(
        self,
        batches: Iterator[Sequence[Example]],
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        average: WeightAverage | None,
        epoch: int,
    ) -> float:
        """Train for an epoch, or until time is up, and return the mean loss."""
        set_training_mode(self.module)
        losses: list[float] = []
        for batch in batches:
            epochs = self.plan.epochs
            self.progress(Step.TRAIN, epoch, epochs, f"epoch {epoch} of {epochs}")
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * self.plan.learning_rate * schedule.rate
            losses.append(self._step(batch, optimizer))
            if average:
                average.update()
            schedule.step += 1
            if schedule.share >= 1:
                break
        return sum(losses) / max(1, len(losses))

    def _step(self, batch: Sequence[Example], optimizer: torch.optim.Optimizer) -> float:
        loss = self.loss(batch)
        optimizer.zero_grad()
        if torch.isfinite(loss):
            loss.backward()
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip)
            optimizer.step()
        return float(loss.detach())

    def _assess(self, best: BestCheckpoint, schedule: Schedule, epoch: int, loss: float) -> None:
        """Tell the schedule how good the network is: by fitness where it is measured, else loss."""
        if not self.fitness:
            schedule.observe(-loss)
        elif schedule.is_over or epoch % self.plan.validations == 0:
            fitness = self.fitness()
            best.offer(fitness, epoch, self.module)
            if fitness >= BEGUN:
                schedule.observe(fitness)


def in_half_precision(device: str) -> torch.autocast:
    """Return a context that computes in bfloat16 where the GPU has it."""
    cuda = device.startswith("cuda")
    half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    kind = device.split(":", maxsplit=1)[0]
    return cast(Any, torch.autocast)(kind, torch.bfloat16, enabled=half)


def set_training_mode(module: nn.Module) -> None:
    """Set training mode but keep batch statistics: those of a few images would be worse."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
