"""What learns: a family of models for some kinds of control, and the models that it makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.domain.answers import Answer
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.ports.images import Fetch
from backend.ports.progress import Progress


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All that a model family may learn one control from.

    `train` and `held_out` are disjoint; an image never moves between them from one round to the
    next. `previous` is the folder of the control in the project's current version, if there is
    one to go on from: none that has seen what is to validate the new one.
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
        """Measured on `TrainingSet.held_out`; `accuracy` or `map50` and `ece` at least."""
        ...

    @property
    def out_of_fold(self) -> PredictionBatch | None:
        """Guesses on `TrainingSet.train` by models that did not see the image, row by row.

        None where the family has none, and on a model that was loaded.
        """
        ...

    @property
    def notes(self) -> Mapping[str, Any]:
        """What else the report should say: what was tried, chosen and how long it took."""
        ...

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        """One row a picture, in order. An image that cannot be read raises UnreadableImage."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `Family.load` needs into an empty folder."""
        ...


class Family(Protocol):
    """A way of learning some kinds of control."""

    @property
    def kinds(self) -> frozenset[TaskKind]: ...

    def check(self) -> None:
        """Raises NoWeights where training could not start; quick, downloads nothing."""
        ...

    def fit(self, training_set: TrainingSet) -> Model:
        """Learn; honours `training_set.progress` and `training_set.max_minutes`."""
        ...

    def load(self, folder: Path, control: Control) -> Model: ...
