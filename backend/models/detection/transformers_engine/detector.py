"""Implements `engine.Engine` with Hugging Face `transformers`: D-FINE and RT-DETR.

For users who avoid the AGPL: code and published weights of both are under Apache-2.0.
`AUTOLABEL_DETECTOR=transformers:NAME` starts from the network of that name on the Hugging Face
hub, `transformers:PATH` from a folder that `save_pretrained` wrote. Weights are safetensors, which
hold no code. Prediction runs on torch: the networks generate parts of themselves for each image
shape, which ONNX cannot express.
"""

# pyright: reportUnknownMemberType=false
# Torch leaves some of its arguments without types.

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models.detection.engine import TrainedNetwork
from backend.models.detection.training_plan import TrainingPlan
from backend.models.detection.transformers_engine.weights import PretrainedFolder
from backend.ports.model_family import TrainingSet

if TYPE_CHECKING:
    from backend.models.detection.transformers_engine.network import TransformersNetwork


@dataclass(frozen=True, slots=True)
class TransformersEngine:
    """Trains from `start`: the path of a folder, or a name on the Hugging Face hub.

    `data_dir`: folders of one's own are looked up in `weights/` below it. `device` as torch names
    it, such as `cuda:0`. `across_labels`: suppress overlapping boxes of different labels too.
    `threads`: to train and predict with on a CPU. `rate` is the share of the plan's learning rate
    that all weights get, for networks that were never trained; None as the recipe says.
    """

    start: str
    data_dir: Path
    device: str = "cpu"
    across_labels: bool = False
    threads: int = 1
    rate: float | None = None

    @property
    def name(self) -> str:
        return "transformers"

    @property
    def license(self) -> str:
        return "Apache-2.0"

    @property
    def on_gpu(self) -> bool:
        return self.device != "cpu"

    def check(self) -> None:
        self._pretrained.check()

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> TrainedNetwork:
        from backend.models.detection.fine_tuning import fine_tune  # noqa: PLC0415  imports torch
        from backend.models.detection.transformers_engine.training import RECIPE, loss, scaling  # noqa: PLC0415

        network = self._network(training_set, plan.image_size, previous)
        recipe = replace(RECIPE, rate=self.rate, backbone_rate=1.0) if self.rate else RECIPE
        losses = partial(loss, network.module, device=self.device)
        return fine_tune(network, training_set, plan, recipe, losses, scaling())

    def load(self, folder: Path) -> "TransformersNetwork":
        return self._loaded(folder, None)

    @property
    def _pretrained(self) -> PretrainedFolder:
        return PretrainedFolder(self.start, self.data_dir / "weights")

    def _loaded(self, folder: Path, size: int | None) -> "TransformersNetwork":
        from backend.models.detection.transformers_engine.network import load  # noqa: PLC0415  imports torch

        self._limit_threads()
        return load(folder, self.device, across_labels=self.across_labels, image_size=size)

    def _network(
        self, training_set: TrainingSet, size: int, previous: Path | None
    ) -> "TransformersNetwork":
        """Build the network to train; the seed decides the weights of new classes."""
        if previous:
            return self._loaded(previous, size)
        folder, control = self._pretrained.folder(), training_set.control
        import torch  # noqa: PLC0415 - takes seconds

        from backend.models.detection.transformers_engine.network import from_pretrained  # noqa: PLC0415  imports torch

        self._limit_threads()
        with torch.random.fork_rng():
            torch.manual_seed(training_set.seed)
            return from_pretrained(
                folder,
                control.labels,
                control.outside_names,
                size,
                self.device,
                across_labels=self.across_labels,
            )

    def _limit_threads(self) -> None:
        if not self.on_gpu:
            import torch  # noqa: PLC0415 - takes seconds

            torch.set_num_threads(self.threads)
