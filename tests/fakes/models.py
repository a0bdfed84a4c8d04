"""A gallery and a model family that need no images and no training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.domain.answers import Choice, ImageRef, NoPrediction
from backend.domain.batches import Guesses, Pictures
from backend.domain.errors import NoWeights, UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import Label, TaskId
from backend.domain.schema import Control, Kind
from backend.ports.images import Fetch
from backend.ports.model_family import Lesson
from backend.ports.progress import Progress


@dataclass
class FakeGallery:
    """Every image is a unit vector made from its task id; `bad` ones cannot be read."""

    bad: dict[TaskId, str] = field(default_factory=dict)
    altered: list[tuple[int, tuple[TaskId, ...]]] = field(default_factory=list)
    backbone: str = "fake"
    device: str = "cpu"

    def look(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[Pictures, Sequence[NoPrediction]]:
        progress("embed", 0, len(refs))
        good = [ref for ref in refs if ref.task not in self.bad]
        features = np.array([self._vector(ref.task) for ref in good], dtype=np.float16)
        traits = np.tile(np.array([64, 48, 0.5, 0.5, 10, 100], dtype=np.float32), (len(good), 1))
        bad = [NoPrediction(ref.task, self.bad[ref.task]) for ref in refs if ref.task in self.bad]
        return Pictures(tuple(good), features.reshape(len(good), 4), traits), bad

    def look_altered(
        self, refs: Sequence[ImageRef], alteration: int, progress: Progress
    ) -> tuple[Pictures, Sequence[NoPrediction]]:
        self.altered.append((alteration, tuple(ref.task for ref in refs)))
        return self.look(refs, progress)

    def fetch_altered(self, ref: ImageRef, alteration: int, folder: Path) -> Path:
        return folder / f"{alteration}-{self.fetch(ref).name}"

    def look_into(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        self.fetch(ref)
        return ref.task / 1000, float(len(boxes))

    def fetch(self, ref: ImageRef) -> Path:
        if ref.task in self.bad:
            raise UnreadableImage(self.bad[ref.task])
        return Path(f"{ref.task}.png")

    def timings(self) -> Mapping[str, float]:
        return {"fetch": 0.0, "embed": 0.0}

    def notes(self) -> Mapping[str, int]:
        return {}

    def _vector(self, task: TaskId) -> np.ndarray:
        vector = np.random.default_rng(task).normal(size=4)
        return vector / np.linalg.norm(vector)


@dataclass
class ParityModel:
    """Says the first label for even tasks and the second for odd ones."""

    labels: tuple[Label, ...]
    metrics: Mapping[str, float] = field(default_factory=lambda: {"accuracy": 1.0, "ece": 0.0})
    notes: Mapping[str, object] = field(default_factory=dict)
    out_of_fold: Guesses | None = None

    def predict(self, pictures: Pictures, fetch: Fetch, progress: Progress) -> Guesses:
        odd = np.array([task % 2 for task in pictures.tasks], dtype=int)
        probabilities = np.full((len(pictures), len(self.labels)), 0.1, dtype=np.float32)
        probabilities[np.arange(len(pictures)), odd] = 0.9
        answers = tuple(Choice((self.labels[position],)) for position in odd)
        return Guesses(answers, np.full(len(pictures), 0.99, dtype=np.float32), probabilities)

    def save(self, folder: Path) -> None:
        (folder / "labels").write_text("\n".join(self.labels))


@dataclass
class ParityFamily:
    """Learns nothing and remembers the lessons it was given."""

    kinds: frozenset[Kind] = frozenset(Kind)
    lessons: list[Lesson] = field(default_factory=list)
    has_weights: bool = True

    def check(self) -> None:
        if not self.has_weights:
            raise NoWeights("no weights", "Give some")

    def fit(self, lesson: Lesson) -> ParityModel:
        lesson.progress("train", 1, 1)
        self.lessons.append(lesson)
        return ParityModel(lesson.control.labels)

    def load(self, folder: Path, control: Control) -> ParityModel:
        return ParityModel(tuple(map(Label, (folder / "labels").read_text().split("\n"))))
