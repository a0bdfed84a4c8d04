"""What both families of detectors offer: a network that finds boxes, and an engine that trains it.

Everything that is not the network itself, from reading files to calibrated answers, is written
once, for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.domain.errors import BadInput
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.model_family import TrainingSet

Canvases = NDArray[np.uint8]
"""(b, height, width, 3), blue first, sides in whole strides."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a network found on one canvas, in any order.

    `boxes` (m, 4): left, top, right, bottom in canvas pixels; `labels` (m,): positions in the
    control's labels; `scores` (m,) in [0, 1].
    """

    boxes: NDArray[np.floating[Any]]
    labels: NDArray[np.integer[Any]]
    scores: NDArray[np.floating[Any]]


class Network(Protocol):
    """A trained network."""

    @property
    def image_size(self) -> int:
        """The longer side of a canvas, in pixels."""
        ...

    def detect(self, canvases: Canvases, floor: float) -> Sequence[Found]:
        """One `Found` a canvas, in order; no score below `floor`."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `Engine.load` needs."""
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, and the epochs that its training took."""

    network: Network
    epochs: int


class Engine(Protocol):
    """A library that trains networks, with a network to start from."""

    @property
    def start(self) -> str:
        """The network to start from, as `AUTOLABEL_DETECTOR` names it."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether it trains on a graphics processor."""
        ...

    def check(self) -> None:
        """Raises NoWeights where training could not start; quick, downloads nothing."""
        ...

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> Trained:
        """Learn from `training_set.train`, choose the best epoch on `training_set.held_out`.

        `previous` is a folder that `Network.save` wrote for the same labels, to go on from.
        """
        ...

    def load(self, folder: Path) -> Network:
        """What `Network.save` wrote. Raises BadInput where another library wrote it."""
        ...


def saved(weights: Path) -> Path:
    """The file, if it is there. Raises BadInput."""
    if not weights.is_file():
        what = f"this version holds no {weights.name}: another kind of detector learned it"
        raise BadInput(what, "Set AUTOLABEL_DETECTOR as it was, or train again")
    return weights
