"""Implements `engine.Engine` with torchvision: Faster R-CNN, RetinaNet, FCOS and SSD.

For users who avoid the AGPL. `AUTOLABEL_DETECTOR=torchvision:NAME` starts from the weights that
torchvision publishes for NAME: a detector trained on COCO, else a backbone trained on ImageNet.
`torchvision:NAME@PATH` starts from a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain.answers import Regions
from backend.models.detection.engine import Network, TrainedNetwork
from backend.models.detection.torchvision_engine.weights import PretrainedWeights
from backend.models.detection.training_plan import MIN_VALIDATION, TrainingPlan
from backend.ports.model_family import TrainingSet

if TYPE_CHECKING:
    from backend.models.detection.torchvision_engine.network import TorchvisionNetwork

_EVALUATED = 0.01
"""Score from which boxes count when epochs are compared."""


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
    def on_gpu(self) -> bool:
        return self.device != "cpu"

    def check(self) -> None:
        self._weights.check()

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> TrainedNetwork:
        from backend.models.detection.letterboxed_dataset import LetterboxedDataset  # noqa: PLC0415  imports torch
        from backend.models.detection.training_loop import Training, freeze  # noqa: PLC0415

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
        dataset = LetterboxedDataset(training_set, plan.image_size)
        return TrainedNetwork(network, training.run(dataset))

    def load(self, folder: Path) -> "TorchvisionNetwork":
        return self._loaded(folder, None)

    @property
    def _weights(self) -> PretrainedWeights:
        return PretrainedWeights.of(self.start, self.data_dir / "weights")

    def _loaded(self, folder: Path, size: int | None) -> "TorchvisionNetwork":
        from backend.models.detection.torchvision_engine.network import load  # noqa: PLC0415  imports torch

        return load(folder, self.device, across_labels=self.across_labels, image_size=size)

    def _network(self, classes: int, size: int, previous: Path | None) -> "TorchvisionNetwork":
        from backend.models.detection.torchvision_engine.network import from_pretrained  # noqa: PLC0415  imports torch

        if previous:
            return self._loaded(previous, size)
        self.check()
        return from_pretrained(
            self._weights, classes, size, self.device, across_labels=self.across_labels
        )


def _can_choose(training_set: TrainingSet) -> bool:
    """Tell whether held-out images can rank epochs: enough of them, at least one with a box."""
    boxes = any(answer.labels for answer in training_set.held_out_answers)
    return boxes and len(training_set.held_out) >= MIN_VALIDATION


def _fitness(network: Network, training_set: TrainingSet) -> Callable[[], float]:
    """Return a function that computes the present mAP50 on the held-out images."""
    from backend.models.detection.average_precision import mean_average_precision  # noqa: PLC0415
    from backend.models.detection.inference import detect  # noqa: PLC0415  imports OpenCV

    truths = [answer for answer in training_set.held_out_answers if isinstance(answer, Regions)]
    refs, labels = training_set.held_out.refs, training_set.control.labels

    def fitness() -> float:
        fetch, progress = training_set.fetch, training_set.progress
        detections = detect(network, refs, fetch, labels, _EVALUATED, progress)
        return mean_average_precision(detections, truths, labels)

    return fitness
