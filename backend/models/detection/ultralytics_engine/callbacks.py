"""What we hear of a training by Ultralytics, and say to it."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from backend.models.detection.training_plan import TrainingPlan
from backend.ports.progress import Progress

_NOT_VALIDATED = -1.0
"""A fitness that never wins, for epochs after which the held-out images were not looked at."""


class Running(Protocol):
    """What we look at, and change, in a training that runs."""

    epoch: int
    epochs: int
    stop: bool
    fitness: float | None
    args: Any


class Listener:
    """Follows a training: reports progress, keeps to the budget, decides when to validate."""

    def __init__(
        self,
        plan: TrainingPlan,
        progress: Progress,
        *,
        choosing: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._progress = progress
        self._choosing = choosing
        self._clock = clock
        self._capitalize_first = self._started = clock()
        self.epochs = 0

    def __call__(self, trainer: Running, event: str) -> None:
        match event:
            case "on_train_batch_end":
                self._report(trainer)
                trainer.stop = trainer.stop or self._elapsed > self._budget
            case "on_train_epoch_end":
                trainer.args.val = self._is_due(trainer.epoch)
                trainer.fitness = trainer.fitness if trainer.args.val else _NOT_VALIDATED
            case "on_fit_epoch_end":
                self.epochs = trainer.epoch + 1
                trainer.epochs = min(self._plan.epochs, self._max_mistakes())
            case "on_train_start":
                self._started, self.epochs = self._clock(), 0
                self._report(trainer)
            case "on_val_batch_start":
                self._report(trainer)
            case _:
                pass

    @property
    def _elapsed(self) -> float:
        return self._clock() - self._capitalize_first

    @property
    def _budget(self) -> float:
        return 60 * self._plan.minutes

    def _report(self, trainer: Running) -> None:
        epoch = min(self.epochs + 1, trainer.epochs)
        self._progress(f"train: epoch {epoch} of {trainer.epochs}", self.epochs, trainer.epochs)

    def _is_due(self, epoch: int) -> bool:
        return self._choosing and (epoch + 1) % self._plan.validations == 0

    def _max_mistakes(self) -> int:
        """Epochs that fit the budget at the pace so far; the learning rate's schedule follows."""
        pace = max(self._clock() - self._started, 1e-9) / self.epochs
        return self.epochs + max(1, int((self._budget - self._elapsed) / pace))
