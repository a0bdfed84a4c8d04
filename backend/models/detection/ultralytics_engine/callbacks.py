"""Callbacks during a training by Ultralytics: progress, time budget, when to validate."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from backend.domain.steps import Step
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.progress import Progress

_NOT_VALIDATED = -1.0
"""Fitness of an epoch without validation; never the best."""


class RunningTrainer(Protocol):
    """The attributes of Ultralytics' trainer that callbacks read and change."""

    epoch: int
    epochs: int
    stop: bool
    fitness: float | None
    args: Any


class TrainingCallbacks:
    """Reports progress, keeps to the time budget and decides when to validate.

    `choosing`: whether held-out images choose the best epoch. `epochs` counts finished ones.
    """

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
        self._created = self._train_start = clock()
        self.epochs = 0

    def __call__(self, trainer: RunningTrainer, event: str) -> None:
        match event:
            case "on_train_batch_end":
                self._report(trainer)
                trainer.stop = trainer.stop or self._elapsed > self._budget
            case "on_train_epoch_end":
                trainer.args.val = self._is_due(trainer.epoch)
                trainer.fitness = trainer.fitness if trainer.args.val else _NOT_VALIDATED
            case "on_fit_epoch_end":
                self.epochs = trainer.epoch + 1
                trainer.epochs = min(self._plan.epochs, self._epochs_within_budget())
            case "on_train_start":
                self._train_start, self.epochs = self._clock(), 0
                self._report(trainer)
            case "on_val_batch_start":
                self._report(trainer)
            case _:
                pass

    @property
    def _elapsed(self) -> float:
        return self._clock() - self._created

    @property
    def _budget(self) -> float:
        return 60 * self._plan.minutes

    def _report(self, trainer: RunningTrainer) -> None:
        epoch = min(self.epochs + 1, trainer.epochs)
        epochs = trainer.epochs
        self._progress(Step.TRAIN, self.epochs, epochs, f"epoch {epoch} of {epochs}")

    def _is_due(self, epoch: int) -> bool:
        return self._choosing and (epoch + 1) % self._plan.validations == 0

    def _epochs_within_budget(self) -> int:
        """Count the epochs that fit the budget at the pace so far; the learning rate adapts."""
        pace = max(self._clock() - self._train_start, 1e-9) / self.epochs
        return self.epochs + max(1, int((self._budget - self._elapsed) / pace))
