"""The port behind which the detection libraries stand: `Engine` trains a `Network`, or loads it.

`ultralytics_engine`, `torchvision_engine` and `transformers_engine` implement both Protocols.
Everything that does not depend on the library is written once and calls only these: reading and
letterboxing (inference), thresholds, calibration, evaluation and pseudo labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats
from backend.domain.errors import BadInput
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.model_family import TrainingSet

PixelBatch = NDArray[np.uint8]
"""Letterboxed images of one shape, (b, height, width, 3), BGR, sides multiples of the stride."""


@dataclass(frozen=True, slots=True)
class Detections:
    """The boxes that a network detects on one letterboxed image, in any order.

    `boxes` (m, 4): left, top, right, bottom in pixels of the letterboxed image; `labels` (m,):
    positions in the control's labels; `scores` (m,) in [0, 1].
    """

    boxes: Floats
    labels: NDArray[np.integer[Any]]
    scores: Floats


Detect = Callable[[PixelBatch, float], Sequence[Detections]]
"""Detects boxes with this score or more; one result per image, in order."""


@dataclass(frozen=True, slots=True)
class Callers:
    """A network for `threads` threads, each of which calls `detect` with images of its own."""

    threads: int
    detect: Detect


class Network(Protocol):
    """A trained network."""

    @property
    def image_size(self) -> int:
        """The longer side of a letterboxed image, in pixels, without padding."""
        ...

    @property
    def callers(self) -> Callers | None:
        """The network for many images, one after the other; None where batches are quicker."""
        ...

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        """Detect boxes with this score or more, by all threads; one result per image, in order."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `Engine.load` needs."""
        ...


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network, and the number of epochs that it was trained for."""

    network: Network
    epochs: int


class Engine(Protocol):
    """A library that trains networks, with the pretrained weights to start from."""

    @property
    def name(self) -> str:
        """The library's name."""
        ...

    @property
    def license(self) -> str:
        """SPDX name of the license of the library's code and, unless stated, its weights."""
        ...

    @property
    def start(self) -> str:
        """Name or path of the pretrained weights, from `AUTOLABEL_DETECTOR`."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether it trains on a GPU."""
        ...

    def check(self) -> None:
        """Check quickly, without a download, that training could start.

        Raises:
            NoWeights: when the pretrained weights are neither here nor to be downloaded.
        """
        ...

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> TrainedNetwork:
        """Train on `training_set.train`; choose the best epoch on `training_set.held_out`.

        Args:
            training_set: images, with the labels of its control as classes.
            plan: hyperparameters.
            previous: folder that `Network.save` wrote for the same labels, to continue from;
                None to start from the pretrained weights.

        Raises:
            NoWeights: when the pretrained weights cannot be had or do not fit.
            Stopped: when `training_set.progress` raises it.
        """
        ...

    def load(self, folder: Path) -> Network:
        """Load what `Network.save` wrote.

        Raises:
            BadInput: when the folder was written by another engine.
        """
        ...


def require_weights(path: Path) -> Path:
    """Return the path of saved weights.

    Raises:
        BadInput: when there is no such file, because another engine wrote the version.
    """
    if not path.is_file():
        what = f"this version has no {path.name}: it was trained by another kind of detector"
        raise BadInput(what, "Set AUTOLABEL_DETECTOR back to the former value, or train again")
    return path
