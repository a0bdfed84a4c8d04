"""A moving average of a network's weights, which validates better than the last step's weights."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

import copy
from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn

GAMMA = 6.94
"""The average then reaches back over about a tenth of the steps so far (standard deviation)."""


class WeightAverage:
    """Averages with a power-function profile (Karras et al. 2024, arXiv 2312.02696, section 3.1).

    Its window grows with the number of steps, so it fits a training of 50 steps as well as one of
    50,000. An exponential average with the usual decay of 0.9999 would still consist of the
    initial weights after 5,000 steps.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        # cloned one by one: a weight with two names is averaged once under each of them
        self._average = {name: value.clone() for name, value in module.state_dict().items()}
        self._steps = 0

    def update(self) -> None:
        """Take the present weights into the average; call it after each step."""
        self._steps += 1
        new = 1 - (1 - 1 / self._steps) ** (GAMMA + 1)
        for name, value in self._module.state_dict().items():
            if value.is_floating_point():
                self._average[name].lerp_(value, new)
            else:
                self._average[name].copy_(value)

    @contextmanager
    def applied(self) -> Generator[None]:
        """Put the average into the module, and the present weights back at the end."""
        present: dict[str, Tensor] = copy.deepcopy(self._module.state_dict())
        self.apply()
        try:
            yield
        finally:
            self._module.load_state_dict(present)

    def apply(self) -> None:
        """Put the average into the module for good."""
        self._module.load_state_dict(self._average)
