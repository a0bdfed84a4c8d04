"""A feature extractor and a model family that need no images and no training."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from backend.domain.answers import Choices, ImageRef, NoPrediction
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.errors import NoWeights, UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import Label, TaskId
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.domain.steps import Step
from backend.ports.images import Fetch
from backend.ports.model_family import TrainingSet
from backend.ports.progress import Progress


@dataclass
class FakeFeatureExtractor:
    """Every image is a unit vector made from its task id; `bad` ones cannot be read.

    Those that are `damaged` can be fetched, and not be decoded.

    While `server_down` is set they are only missing for now. `precise` trains on the encoder of
    that name, if there is one; `extracted` lists the encoders that were asked for.
    """

    bad: dict[TaskId, str] = field(default_factory=dict)
    damaged: dict[TaskId, str] = field(default_factory=dict)
    server_down: bool = False
    augmented: list[tuple[int, tuple[TaskId, ...]]] = field(default_factory=list)
    backbone: str = "fake"
    device: str = "cpu"
    precise: str = ""
    extracted: list[str] = field(default_factory=list)
    not_embedded: int = 0
    looked_ahead: list[TaskId] = field(default_factory=list)

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        return self.not_embedded

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress, backbone: str) -> None:
        self.looked_ahead += [ref.task for ref in refs]
        progress(Step.EMBED, 0, len(refs))

    def forget_ahead(self) -> None:
        self.looked_ahead.clear()

    def remarks(self, backbone: str) -> Sequence[str]:
        return [f"embedded by {backbone or 'nobody'}"]

    def choose(
        self, kinds: Collection[TaskKind], algorithm: Algorithm, items: ItemKind = ItemKind.IMAGE
    ) -> str:
        return self.precise if self.precise and algorithm is Algorithm.PRECISE else self.backbone

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        self.extracted.append(backbone or self.backbone)
        progress(Step.EMBED, 0, len(refs))
        return self._read(refs, self.bad | self.damaged, self.extracted[-1])

    def without_features(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        progress(Step.FETCH, 0, len(refs))
        images, bad = self._read(refs, self.bad, "")
        stats = images.image_stats * np.array([1, 1, 0, 0, 0, 0], dtype=np.float32)
        return replace(images, features=images.features[:, :0], image_stats=stats), bad

    def _read(
        self, refs: Sequence[ImageRef], reasons: Mapping[TaskId, str], backbone: str
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        good = [ref for ref in refs if ref.task not in reasons]
        features = np.array([_unit_vector(ref.task) for ref in good], dtype=np.float16)
        image_stats = np.tile(
            np.array([64, 48, 0.5, 0.5, 10, 100], dtype=np.float32), (len(good), 1)
        )
        bad = [
            NoPrediction(ref.task, reasons[ref.task], self.server_down)
            for ref in refs
            if ref.task in reasons
        ]
        features = features.reshape(len(good), 4)
        return ImageBatch(tuple(good), features, image_stats, backbone), bad

    def augments(self, items: ItemKind) -> bool:
        return True

    def save_encoder(self, backbone: str, folder: Path) -> None:
        """Do nothing: the encoder has no state."""

    def load_encoder(self, backbone: str, folder: Path) -> None:
        """Do nothing: the encoder has no state."""

    def extract_augmented(
        self,
        refs: Sequence[ImageRef],
        augmentation: int,
        progress: Progress,
        backbone: str = "",
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        self.augmented.append((augmentation, tuple(ref.task for ref in refs)))
        images, bad = self.extract(refs, progress, backbone)
        return replace(images, augmentation=augmentation), bad

    def fetch_augmented(self, ref: ImageRef, augmentation: int, folder: Path) -> Path:
        return folder / f"{augmentation}-{self.fetch(ref).name}"

    def box_statistics(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        self.fetch(ref)
        return ref.task / 1000, float(len(boxes))

    def fetch(self, ref: ImageRef) -> Path:
        if ref.task in self.bad:
            raise UnreadableImage(self.bad[ref.task])
        return Path(f"{ref.task}.png")

    def write_preview(self, ref: ImageRef, target: Path) -> None:
        target.write_bytes(self.fetch(ref).name.encode())

    def timings(self) -> Mapping[Step, float]:
        return {Step.FETCH: 0.0, Step.EMBED: 0.0}

    def notes(self) -> Mapping[str, int]:
        return {}


@cache
def _unit_vector(task: TaskId) -> np.ndarray:
    vector = np.random.default_rng(task).normal(size=4)
    return vector / np.linalg.norm(vector)


@dataclass
class ParityModel:
    """Predicts the first label for even tasks and the second for odd ones."""

    labels: tuple[Label, ...]
    metrics: Mapping[str, float] = field(default_factory=lambda: {"accuracy": 1.0, "ece": 0.0})
    notes: Mapping[str, object] = field(default_factory=dict)
    out_of_fold: PredictionBatch | None = None

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        odd = np.array([task % 2 for task in images.tasks], dtype=int)
        probabilities = np.full((len(images), len(self.labels)), 0.1, dtype=np.float32)
        probabilities[np.arange(len(images)), odd] = 0.9
        answers = tuple(Choices((self.labels[position],)) for position in odd)
        return PredictionBatch(answers, np.full(len(images), 0.99, dtype=np.float32), probabilities)

    def save(self, folder: Path) -> None:
        (folder / "labels").write_text("\n".join(self.labels))


@dataclass
class ParityFamily:
    """Learns nothing; `training_sets` collects what it was given."""

    kinds: frozenset[TaskKind] = frozenset(TaskKind)
    training_sets: list[TrainingSet] = field(default_factory=list)
    missing: NoWeights | None = None

    def check(self, items: ItemKind = ItemKind.IMAGE) -> None:
        if self.missing:
            raise self.missing

    def fit(self, training_set: TrainingSet) -> ParityModel:
        training_set.progress("train", 1, 1)
        self.training_sets.append(training_set)
        return ParityModel(training_set.control.labels)

    def load(self, folder: Path, control: Control) -> ParityModel:
        return ParityModel(tuple(map(Label, (folder / "labels").read_text().split("\n"))))
