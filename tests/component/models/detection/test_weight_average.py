import pytest
import torch
from torch import nn

from backend.models.detection.weight_average import WeightAverage


def averaged_after(steps: int) -> float:
    """Return the average of a weight that is 1 after the first step and `steps` after the last."""
    module = nn.Linear(1, 1, bias=False)
    average = WeightAverage(module)
    for step in range(1, steps + 1):
        nn.init.constant_(module.weight, float(step))
        average.update()
    average.apply()
    return module.weight.item()


@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_the_average_lags_by_the_same_share_of_a_short_and_of_a_long_training(steps: int):
    assert 0.85 < averaged_after(steps) / steps < 0.95


def test_the_first_step_forgets_what_was_there_before():
    assert averaged_after(1) == 1


def test_the_present_weights_are_back_once_the_average_was_used():
    module = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    average = WeightAverage(module)
    average.update()
    nn.init.constant_(module[0].weight, 5.0)
    module[1].num_batches_tracked.fill_(7)
    average.update()
    with average.applied():
        assert module[0].weight.item() < 5
        assert module[1].num_batches_tracked == 7, "counters have no average"
    assert torch.equal(module[0].weight, torch.full((1, 1), 5.0))
