from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from backend.domain.answers import Regions
from backend.domain.errors import Stopped
from backend.models.detection.training_plan import plan
from backend.models.detection.ultralytics_engine.callbacks import TrainingCallbacks
from tests.fakes.detection_training_sets import RecordedProgress


@dataclass
class Training:
    """As Ultralytics' trainer calls back: each epoch of three batches takes ten seconds."""

    callbacks: TrainingCallbacks
    clock: list[float]
    epochs: int = 40
    epoch: int = 0
    stop: bool = False
    fitness: float | None = None
    args: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(val=True))
    validated: list[int] = field(default_factory=list)
    epoch_seconds: dict[int, float] = field(default_factory=dict)

    def run(self) -> int:
        self.callbacks(self, "on_train_start")
        while self.epoch < self.epochs and not self.stop:
            for _ in range(3):
                self.clock[0] += self.epoch_seconds.get(self.epoch, 10) / 3
                self.callbacks(self, "on_train_batch_end")
                if self.stop:
                    break
            self.callbacks(self, "on_train_epoch_end")
            self.validated += [self.epoch] * self.args.val
            self.callbacks(self, "on_fit_epoch_end")
            self.epoch += 1
        return self.epoch


def training(
    minutes: float = 30.0, recorded: RecordedProgress | None = None, *, choosing: bool = True
) -> Training:
    clock = [0.0]
    chosen = plan([Regions(())] * 20, on_gpu=False, minutes=minutes, continued=False)
    callbacks = TrainingCallbacks(
        chosen, recorded or RecordedProgress(), choosing=choosing, clock=lambda: clock[0]
    )
    return Training(callbacks, clock)


def test_with_time_enough_all_epochs_are_run():
    assert training().run() == 40


def test_the_schedule_is_shortened_to_what_the_time_affords():
    # given 2 minutes for epochs of 10 seconds
    assert 11 <= training(minutes=2).run() <= 13


def test_what_came_before_the_first_epoch_does_not_count_as_its_pace():
    # given 10 minutes, of which writing the images takes 100 seconds, for 40 epochs of 10 seconds
    run = training(minutes=10)
    run.clock[0] = 100
    assert run.run() == 40


def test_a_slow_first_epoch_does_not_shorten_the_training_for_good():
    # given 10 minutes for 40 epochs of 10 seconds, the first of which waits for others
    run = training(minutes=10)
    run.epoch_seconds[0] = 100
    assert run.run() == 40


def test_a_training_that_begins_again_in_smaller_batches_counts_anew():
    recorded = RecordedProgress()
    run = training(recorded=recorded)
    run.run()
    recorded.reports.clear()
    assert Training(run.callbacks, run.clock).run() == 40
    assert recorded.reports[0] == ("train: epoch 1 of 40", 0, 40)


def test_not_even_one_epoch_fits_and_it_ends_at_a_batch():
    run = training(minutes=0.1)
    assert run.run() == 1
    assert run.clock[0] < 10


def test_validation_runs_every_few_epochs():
    run = training()
    run.run()
    assert 8 <= len(run.validated) <= 16
    assert run.fitness == -1, "an epoch that was not looked at cannot be the best"


def test_too_few_held_out_images_choose_no_epoch():
    run = training(choosing=False)
    run.run()
    assert run.validated == []


def test_progress_is_reported_by_epoch():
    recorded = RecordedProgress()
    training(recorded=recorded).run()
    assert recorded.reports[0] == ("train: epoch 1 of 40", 0, 40)
    assert recorded.reports[-1] == ("train: epoch 40 of 40", 39, 40)


def test_a_stop_comes_through_at_the_next_batch():
    run = training(recorded=RecordedProgress(stop_in="epoch 2", after=1))
    with pytest.raises(Stopped):
        run.run()
    assert run.epoch == 1
