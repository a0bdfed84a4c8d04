"""Detectors by torchvision: Faster R-CNN, RetinaNet, FCOS and SSD, for those who avoid the AGPL.

`AUTOLABEL_DETECTOR=torchvision:NAME` begins from what torchvision publishes for NAME: weights
trained on COCO, else a backbone trained on ImageNet. `torchvision:NAME@PATH` begins from a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain.answers import Regions
from backend.models.detection.engine import Network, Trained
from backend.models.detection.torchvision_engine.weights import Start
from backend.models.detection.training_plan import CHOOSING, TrainingPlan
from backend.ports.model_family import TrainingSet

if TYPE_CHECKING:
    from backend.models.detection.torchvision_engine.network import TorchvisionNetwork

_CHOSEN_BY = 0.01
"""Score from which boxes count in the choice of an epoch."""


@dataclass(frozen=True, slots=True)
class TorchvisionEngine:
    """Trains from `start`: a name that torchvision knows, or `NAME@PATH`.

    `data_dir`: downloaded weights go below it. `device` as torch names it, such as `cuda:0`.
    `across_labels`: whether of two overlapping boxes with different labels only one stays.
    """

    start: str
    data_dir: Path
    device: str = "cpu"
    across_labels: bool = False

    @property
    def on_gpu(self) -> bool:
        return self.device != "cpu"

    def check(self) -> None:
        self._start.check()

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> Trained:
        from backend.models.detection.torchvision_engine.dataset import Examples  # noqa: PLC0415  imports torch
        from backend.models.detection.torchvision_engine.training import Training, freeze  # noqa: PLC0415

        network = self._network(len(training_set.control.labels), plan.image_size, previous)
        freeze(network.module, plan.frozen)
        training = Training(
            network.module,
            self.device,
            plan,
            _fitness(network, training_set) if _can_choose(training_set) else None,
            training_set.progress,
            training_set.seed,
        )
        return Trained(network, training.run(Examples(training_set, plan.image_size)))

    def load(self, folder: Path) -> "TorchvisionNetwork":
        return self._loaded(folder, None)

    @property
    def _start(self) -> Start:
        return Start.of(self.start, self.data_dir / "weights")

    def _loaded(self, folder: Path, size: int | None) -> "TorchvisionNetwork":
        from backend.models.detection.torchvision_engine.network import load  # noqa: PLC0415  imports torch

        return load(folder, self.device, across_labels=self.across_labels, image_size=size)

    def _network(self, classes: int, size: int, previous: Path | None) -> "TorchvisionNetwork":
        from backend.models.detection.torchvision_engine.network import started  # noqa: PLC0415  imports torch

        if previous:
            return self._loaded(previous, size)
        self.check()
        return started(self._start, classes, size, self.device, across_labels=self.across_labels)


def _can_choose(training_set: TrainingSet) -> bool:
    """Without a box on any held-out image there is no precision to choose an epoch by."""
    boxes = any(answer.labels for answer in training_set.held_out_answers)
    return boxes and len(training_set.held_out) >= CHOOSING


def _fitness(network: Network, training_set: TrainingSet) -> Callable[[], float]:
    """mAP50 on the held-out images, as the network is when asked."""
    from backend.models.detection.average_precision import mean_average_precision  # noqa: PLC0415
    from backend.models.detection.inference import find  # noqa: PLC0415  imports OpenCV

    truths = [answer for answer in training_set.held_out_answers if isinstance(answer, Regions)]
    refs, labels = training_set.held_out.refs, training_set.control.labels

    def fitness() -> float:
        found = find(network, refs, training_set.fetch, labels, _CHOSEN_BY, training_set.progress)
        return mean_average_precision(found, truths, labels)

    return fitness
