import pytest

from backend.models.detection.schedules import (
    DROP,
    DROPS,
    WARM_UP,
    CosineSchedule,
    PlateauSchedule,
    Schedule,
)

KINDS = [CosineSchedule, PlateauSchedule]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def schedule(kind: type[Schedule], steps: int = 100, seconds: float = 1000.0) -> Schedule:
    return kind(steps, seconds, 0.0, clock=Clock())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [20, 100, 10_000])
def test_the_warm_up_takes_the_same_share_of_a_short_and_of_a_long_training(
    kind: type[Schedule], steps: int
):
    one = schedule(kind, steps)
    first = one.rate
    one.step = round(WARM_UP * steps)
    assert first == pytest.approx(1 / (WARM_UP * steps))
    assert one.rate > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_rate_falls_to_zero_at_the_last_step_or_when_time_is_up(kind: type[Schedule]):
    by_steps, by_time = schedule(kind), schedule(kind)
    by_steps.step = 100
    by_time.clock.now = 1000.0
    assert by_steps.rate == by_time.rate == pytest.approx(0)
    assert by_steps.is_over
    assert by_time.is_over


@pytest.mark.parametrize("kind", KINDS)
def test_the_warm_up_ends_in_time_although_few_steps_fit(kind: type[Schedule]):
    slow = schedule(kind, steps=100_000)
    slow.step, slow.clock.now = 5, 1.5 * WARM_UP * 1000
    assert slow.rate > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_clock_changes_nothing_unless_time_runs_short(kind: type[Schedule]):
    quick, less_quick = schedule(kind), schedule(kind)
    for step in range(100):
        quick.step = less_quick.step = step
        less_quick.clock.now = 10 * step + 9.0
        assert less_quick.rate == quick.rate


def test_the_rate_drops_when_nothing_is_gained_and_only_then():
    improving, stuck = schedule(PlateauSchedule), schedule(PlateauSchedule)
    for step in range(1, 51):
        improving.step = stuck.step = step
        improving.observe(step)
        stuck.observe(1.0)
    assert improving.rate == 1
    assert stuck.rate == pytest.approx(DROP**2)
    assert not stuck.is_over


def test_a_training_that_gains_nothing_at_the_lowest_rate_is_over():
    stuck = schedule(PlateauSchedule)
    for step in range(1, 100):
        stuck.step = step
        stuck.observe(1.0)
        if stuck.is_over:
            break
    assert stuck.drops == DROPS
    assert stuck.step < 70
