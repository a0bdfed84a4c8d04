"""The training loop of torchvision's detectors, which come without one."""

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

from backend.models.detection.out_of_memory import with_smaller_batches
from backend.models.detection.torchvision_engine.dataset import Example, Examples
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.progress import Progress

WARM_UP = 0.1
"""Share of the training during which the learning rate rises."""

RATE = 0.25
"""Of the plan's learning rate: batch statistics stand still here, which steadies large steps."""

BACKBONE = 0.1
"""Of the rate of the rest, as in DETR (arXiv 2005.12872)."""

WEIGHT_DECAY = 5e-4
CLIP = 10.0
"""Gradient norm at which a step is shortened."""


@dataclass(slots=True)
class Schedule:
    """Where a training stands between 0 and 1, by steps or by time, whichever is further.

    The learning rate rises, then falls along a cosine (Loshchilov & Hutter 2017) that ends with
    the training, also when the time is up before the steps.
    """

    steps: int
    seconds: float
    capitalize_first: float
    step: int = 0

    @property
    def share(self) -> float:
        return min(
            1.0,
            max(self.step / self.steps, (time.monotonic() - self.capitalize_first) / self.seconds),
        )

    @property
    def rate(self) -> float:
        """The learning rate as a share of the highest."""
        rising = (self.step + 1) / max(1.0, WARM_UP * self.steps)
        return min(1.0, rising) * (1 + math.cos(math.pi * self.share)) / 2


@dataclass(slots=True)
class Best:
    """The best state so far, and the epoch that reached it."""

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

    `fitness` looks at the held-out images; None where they are too few to choose an epoch by.
    """

    module: nn.Module
    device: str
    plan: TrainingPlan
    fitness: Callable[[], float] | None
    progress: Progress
    seed: int

    def run(self, examples: Examples) -> int:
        """Train, leave the module in its best state, and say how many epochs it took."""
        start = copy.deepcopy(self.module.state_dict())
        capitalize_first = time.monotonic()

        def attempt(batch: int) -> int:
            self.module.load_state_dict(start)
            return self._run(examples, batch, capitalize_first)

        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return with_smaller_batches(self.plan.batch, attempt)

    def _run(self, examples: Examples, batch: int, capitalize_first: float) -> int:
        loader = DataLoader(examples, batch, shuffle=True, collate_fn=list)
        schedule = Schedule(
            self.plan.epochs * len(loader), 60 * self.plan.minutes, capitalize_first
        )
        optimizer = torch.optim.AdamW(groups(self.module), weight_decay=WEIGHT_DECAY)
        best = Best()
        epoch = 0
        for epoch in range(1, self.plan.epochs + 1):
            self._epoch(iter(loader), optimizer, schedule, epoch)
            self._choose(best, epoch, over=schedule.share >= 1)
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
        learn(self.module)
        for batch in batches:
            self.progress(f"train: epoch {epoch} of {self.plan.epochs}", epoch, self.plan.epochs)
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

    def _choose(self, best: Best, epoch: int, *, over: bool) -> None:
        due = over or epoch % self.plan.validations == 0
        if self.fitness and due:
            best.offer(self.fitness(), epoch, self.module)


def groups(module: nn.Module) -> list[dict[str, Any]]:
    """The weights that are trained, with their share of the plan's learning rate."""
    trained = [(name, part) for name, part in module.named_parameters() if part.requires_grad]
    old = [part for name, part in trained if name.startswith("backbone.")]
    new = [part for name, part in trained if not name.startswith("backbone.")]
    shares = ((old, RATE * BACKBONE), (new, RATE))
    return [{"params": parts, "share": share} for parts, share in shares if parts]


def learn(module: nn.Module) -> None:
    """Training mode, but batch statistics stay: those of few images are worse than the old."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


def freeze(module: nn.Module, share: float) -> None:
    """Keep the first `share` of the backbone's weights; what was added to it is never frozen."""
    named: Iterator[tuple[str, nn.Parameter]] = cast(Any, module).backbone.named_parameters()
    weights = [weight for name, weight in named if not name.startswith(("fpn", "extra"))]
    for weight in weights[: round(share * len(weights))]:
        weight.requires_grad = False
