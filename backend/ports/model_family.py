"""Model families, which train models for some kinds of control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from backend.domain.answers import Answer
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import Label
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.json import Json
from backend.domain.schema import Control, TaskKind
from backend.ports.images import Fetch
from backend.ports.progress import Progress


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The images and answers to train a model of one control on.

    `train` and `held_out` are disjoint; an image never moves between them from one round to the
    next. `previous` is the folder of the control in the project's current version, to start from;
    None where that version has seen images that validate the new one.
    """

    control: Control
    train: ImageBatch
    train_answers: Sequence[Answer]
    held_out: ImageBatch
    held_out_answers: Sequence[Answer]
    unlabeled: ImageBatch
    algorithm: Algorithm
    previous: Path | None
    fetch: Fetch
    progress: Progress
    seed: int
    max_minutes: float


class Model(Protocol):
    """A fitted model of one control."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Metrics on `TrainingSet.held_out`; `accuracy` or `map50` and `ece` at least."""
        ...

    @property
    def out_of_fold(self) -> PredictionBatch | None:
        """Cross-validated predictions on `TrainingSet.train`, row by row.

        None where the family makes none, and for a loaded model.
        """
        ...

    @property
    def notes(self) -> Mapping[str, Any]:
        """For the report: what was tried and chosen, and the seconds it took."""
        ...

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        """Return one row per image, in order. Raises UnreadableImage."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `Family.load` needs into an empty folder."""
        ...


@runtime_checkable
class Calibratable(Protocol):
    """A model that was fitted elsewhere, on images nobody here knows."""

    def calibrated_on(
        self, images: ImageBatch, answers: Sequence[Answer], fetch: Fetch, progress: Progress
    ) -> Model:
        """Return the model with its scores calibrated on labeled images, and measured on them."""
        ...


class ForeignModel(Protocol):
    """A model from elsewhere that has been opened."""

    @property
    def is_detector(self) -> bool:
        """Whether it finds rectangles; otherwise it classifies whole images."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Its classes."""
        ...

    @property
    def source(self) -> str:
        """The name of the file, or the published name."""
        ...

    def write(self, folder: Path, labels: Mapping[str, Label]) -> None:
        """Write everything that `Family.load` needs; `labels` are those of its classes."""
        ...


class ForeignModels(Protocol):
    """Opens models from elsewhere."""

    def open(self, source: str, *, trust: bool) -> ForeignModel:
        """Open a file or a published name; `trust` allows pickles that could run any code.

        Raises:
            BadInput: when it is no model that is known, or not trusted.
            NotFound: when there is no such file.
            NoWeights: when a published model cannot be had.
        """
        ...


class ModelWriters(Protocol):
    """Writes models as files that other programs run."""

    def write(
        self,
        folder: Path,
        kind: TaskKind,
        renamed: Mapping[Label, Label],
        about: Json,
        target: Path,
    ) -> None:
        """Write the model in the folder of a control; the suffix of `target` is the format.

        Args:
            folder: of the control, in a version.
            kind: of the control.
            renamed: to which label each of the model's own belongs, where they differ.
            about: the card of the version, to be kept in the file.
            target: the file.

        Raises:
            BadInput: when this model cannot be written so.
        """
        ...


class Family(Protocol):
    """Trains and loads models for some kinds of control."""

    @property
    def kinds(self) -> frozenset[TaskKind]: ...

    def check(self, items: ItemKind = ItemKind.IMAGE) -> None:
        """Raise NoWeights where training on such items could not start. Downloads nothing."""
        ...

    def fit(self, training_set: TrainingSet) -> Model:
        """Train within `training_set.max_minutes`, reporting to `training_set.progress`."""
        ...

    def load(self, folder: Path, control: Control) -> Model: ...
