"""Implements `engine.Engine` with torchvision: Faster R-CNN, RetinaNet, FCOS and SSD.

For users who avoid the AGPL. `AUTOLABEL_DETECTOR=torchvision:NAME` starts from the weights that
torchvision publishes for NAME: a detector trained on COCO, else a backbone trained on ImageNet.
`torchvision:NAME@PATH` starts from a file.
"""

# pyright: reportUnknownMemberType=false
# Torch leaves some of its arguments without types.

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models.detection.engine import TrainedNetwork
from backend.models.detection.torchvision_engine.weights import PretrainedWeights
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.model_family import TrainingSet

if TYPE_CHECKING:
    from backend.models.detection.torchvision_engine.network import TorchvisionNetwork


@dataclass(frozen=True, slots=True)
class TorchvisionEngine:
    """Trains from `start`: a name that torchvision knows, or `NAME@PATH`.

    `data_dir`: downloaded weights go below it. `device` as torch names it, such as `cuda:0`.
    `across_labels`: suppress overlapping boxes of different labels too.
    """

    start: str
    data_dir: Path
    device: str = "cpu"
    across_labels: bool = False

    @property
    def name(self) -> str:
        return "torchvision"

    @property
    def license(self) -> str:
        return "BSD-3-Clause"

    @property
    def on_gpu(self) -> bool:
        return self.device != "cpu"

    def check(self) -> None:
        self._weights.check()

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> TrainedNetwork:
        from backend.models.detection.fine_tuning import fine_tune  # noqa: PLC0415  imports torch
        from backend.models.detection.torchvision_engine.training import RECIPE, loss, scaling  # noqa: PLC0415

        network = self._network(training_set, plan.image_size, previous)
        losses = partial(loss, network.module, device=self.device)
        return fine_tune(network, training_set, plan, RECIPE, losses, scaling())

    def load(self, folder: Path) -> "TorchvisionNetwork":
        return self._loaded(folder, None)

    @property
    def _weights(self) -> PretrainedWeights:
        return PretrainedWeights.of(self.start, self.data_dir / "weights")

    def _loaded(self, folder: Path, size: int | None) -> "TorchvisionNetwork":
        from backend.models.detection.torchvision_engine.network import load  # noqa: PLC0415  imports torch

        return load(folder, self.device, across_labels=self.across_labels, image_size=size)

    def _network(
        self, training_set: TrainingSet, size: int, previous: Path | None
    ) -> "TorchvisionNetwork":
        """Build the network to train; the seed decides the weights of new heads."""
        if previous:
            return self._loaded(previous, size)
        self.check()
        import torch  # noqa: PLC0415 - takes seconds

        from backend.models.detection.torchvision_engine.network import from_pretrained  # noqa: PLC0415  imports torch

        classes = len(training_set.control.labels)
        with torch.random.fork_rng():
            torch.manual_seed(training_set.seed)
            return from_pretrained(
                self._weights, classes, size, self.device, across_labels=self.across_labels
            )
