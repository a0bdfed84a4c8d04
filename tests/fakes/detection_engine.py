"""An engine whose network detects the coloured shapes of `detection_training_sets`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from backend.domain.errors import NoWeights
from backend.models.detection.engine import Callers, Detections, PixelBatch, TrainedNetwork
from backend.models.detection.training_plan import TrainingPlan
from backend.ports.model_family import TrainingSet


@dataclass
class ColourNetwork:
    """Red is a square, blue a disc; `blind_to` labels it misses, `score` it gives to the rest.

    `calls_squares`: the class under which it knows squares. `threads`: of its callers, if any.
    """

    image_size: int = 160
    score: float = 0.9
    blind_to: frozenset[int] = frozenset()
    calls_squares: int = 0
    batches: list[tuple[int, ...]] = field(default_factory=list)
    threads: int = 0

    @property
    def callers(self) -> Callers | None:
        return Callers(self.threads, self.detect) if self.threads else None

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        self.batches.append(batch.shape)
        return [self._detections(pixels.astype(int)) for pixels in batch]

    def save(self, folder: Path) -> None:
        (folder / "colours.txt").write_text(
            f"{self.image_size} {self.score} {self.calls_squares}", "utf-8"
        )

    def _detections(self, pixels: np.ndarray) -> Detections:
        blue, green, red = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        masks = [red - np.maximum(blue, green) > 90, blue - np.maximum(red, green) > 90]
        boxes: list[tuple[int, ...]] = []
        labels: list[int] = []
        for label, mask in enumerate(masks):
            if label not in self.blind_to:
                spots = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2][1:]
                boxes += [(x, y, x + w, y + h) for x, y, w, h, area in spots if area > 200]
                labels += [label or self.calls_squares for *_, area in spots if area > 200]
        return Detections(
            np.array(boxes, dtype=np.float32).reshape(-1, 4),
            np.array(labels, dtype=np.int64),
            np.full(len(labels), self.score, dtype=np.float32),
        )


@dataclass
class ColourEngine:
    """Returns one network per training, in order; the last one for all further trainings."""

    networks: list[ColourNetwork]
    start: str = "colours"
    name: str = "opencv"
    license: str = "Apache-2.0"
    on_gpu: bool = False
    at_hand: bool = True
    training_sets: list[TrainingSet] = field(default_factory=list)
    plans: list[TrainingPlan] = field(default_factory=list)
    previous: list[Path | None] = field(default_factory=list)

    def check(self) -> None:
        if not self.at_hand:
            raise NoWeights("no colours")

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> TrainedNetwork:
        self.training_sets.append(training_set)
        self.plans.append(plan)
        self.previous.append(previous)
        training_set.progress("train", 0, plan.epochs)
        return TrainedNetwork(
            self.networks[min(len(self.training_sets), len(self.networks)) - 1], plan.epochs
        )

    def load(self, folder: Path) -> ColourNetwork:
        size, score, squares = (folder / "colours.txt").read_text("utf-8").split()
        return ColourNetwork(int(size), float(score), calls_squares=int(squares))
