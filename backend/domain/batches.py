"""Images and predictions as arrays, one row for each image."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Answer, HardExample, ImageRef, Prediction
from backend.domain.arrays import Floats
from backend.domain.ids import ControlName, TaskId, VersionName
from backend.domain.large_arrays import take
from backend.domain.schema import Control

Mask = NDArray[np.bool_]

IMAGE_STATS = ("width", "height", "brightness", "saturation", "colorfulness", "sharpness")
"""Columns of `ImageBatch.image_stats`: width and height in pixels, upright; brightness and
saturation in [0, 1]; colorfulness after Hasler & Suesstrunk (2003); sharpness the variance of the
Laplacian of the gray image at 224 pixels."""


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Features and statistics of n images, which need not be opened again.

    `features` (n, d) float16, each row of length 1; `image_stats` (n, len(IMAGE_STATS)) float32.
    `backbone` names the encoder of the features: those of two encoders say nothing to each other.
    `augmentation` is the number of that of the copies that were embedded; 0 for the originals.
    `others` are further images of the same tasks by the name of their tag, row by row.
    """

    refs: tuple[ImageRef, ...]
    features: Floats
    image_stats: Floats
    backbone: str = ""
    augmentation: int = 0
    others: Mapping[str, "ImageBatch"] = field(default_factory=dict[str, "ImageBatch"])

    def __len__(self) -> int:
        return len(self.refs)

    @property
    def tasks(self) -> tuple[TaskId, ...]:
        return tuple(ref.task for ref in self.refs)

    def take(self, positions: Sequence[int] | NDArray[np.integer[Any]]) -> Self:
        """Return these rows in this order; consecutive rows are a view, not a copy."""
        rows = [int(position) for position in positions]
        refs = tuple(self.refs[row] for row in rows)
        part = _run(rows)
        is_run = isinstance(part, slice)
        features = self.features[part] if is_run else take(self.features, part)
        image_stats = self.image_stats[part]
        others = {name: batch.take(rows) for name, batch in self.others.items()}
        return replace(self, refs=refs, features=features, image_stats=image_stats, others=others)

    def of(self, image: str) -> "ImageBatch":
        """Return the images of one tag; the first of each task, unless it is another's name."""
        return self.others.get(image, self)

    def size(self, row: int) -> tuple[int, int]:
        """Return width and height in pixels."""
        return int(self.image_stats[row, 0]), int(self.image_stats[row, 1])


def _run(rows: list[int]) -> slice | list[int]:
    """Return a slice for consecutive rows, because NumPy copies what a list selects."""
    first, after = (rows[0], rows[0] + len(rows)) if rows else (0, 0)
    return slice(first, after) if rows == list(range(first, after)) else rows


@dataclass(frozen=True, slots=True)
class PredictionBatch:
    """Predictions of one model for n images, row by row.

    `confidence` (n,): calibrated probability that the whole answer is right.
    `probabilities` (n, K) in the order of the control's labels; for rectangles the best score
    of each label, 0 where it was not found. The score of a rectangle is the calibrated chance
    that it is right.
    """

    answers: tuple[Answer, ...]
    confidence: Floats
    probabilities: Floats

    def take(self, rows: Sequence[int]) -> Self:
        """Return these rows in this order."""
        answers = tuple(self.answers[row] for row in rows)
        return type(self)(answers, self.confidence[rows], self.probabilities[rows])

    def joined(self, *others: Self) -> Self:
        """Return these rows, and then those of the others."""
        parts = (self, *others)
        return type(self)(
            tuple(answer for part in parts for answer in part.answers),
            np.concatenate([part.confidence for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
        )

    def equals(self, other: "PredictionBatch") -> bool:
        """Whether every answer and every number is the same."""
        return (
            self.answers == other.answers
            and np.array_equal(self.confidence, other.confidence)
            and np.array_equal(self.probabilities, other.probabilities)
        )

    def with_rows(self, rows: Sequence[int] | NDArray[np.integer[Any]], other: Self) -> Self:
        """Return a copy in which these rows are those of `other`, which has only them."""
        answers = list(self.answers)
        confidence, probabilities = self.confidence.copy(), self.probabilities.copy()
        for place, row in enumerate(rows):
            answers[row] = other.answers[place]
        confidence[rows] = other.confidence
        probabilities[rows] = other.probabilities
        return type(self)(tuple(answers), confidence, probabilities)


@dataclass(frozen=True, slots=True)
class ProjectPredictions:
    """Predictions of all models of a version for n images.

    `score` (n,) as in `policies/prediction_score.py`. `shown` (n,) says on which images the editor
    shows a control beside the predicted answers; one that is not in it shows on all.
    """

    images: ImageBatch
    predictions: Mapping[ControlName, PredictionBatch]
    score: Floats
    shown: Mapping[ControlName, Mask] = field(default_factory=dict[ControlName, Mask])

    def equals(self, other: "ProjectPredictions") -> bool:
        """Whether they say the same of the same images."""
        return (
            self.images.refs == other.images.refs
            and self.predictions.keys() == other.predictions.keys()
            and all(one.equals(other.predictions[name]) for name, one in self.predictions.items())
        )

    def without(self, tasks: Collection[TaskId]) -> "ProjectPredictions":
        """Leave out these tasks."""
        rows = [row for row, task in enumerate(self.images.tasks) if task not in tasks]
        return self._take(rows)

    def of(self, control: Control) -> "ProjectPredictions":
        """Return the predictions of one control alone, on its own images, where it shows."""
        shown = self.shown.get(control.name)
        part = self if shown is None else self._take([int(row) for row in np.flatnonzero(shown)])
        predictions = {control.name: part.predictions[control.name]}
        return ProjectPredictions(part.images.of(control.image), predictions, part.score)

    def _take(self, rows: list[int]) -> "ProjectPredictions":
        predictions = {name: batch.take(rows) for name, batch in self.predictions.items()}
        shown = {name: mask[rows] for name, mask in self.shown.items()}
        return ProjectPredictions(self.images.take(rows), predictions, self.score[rows], shown)

    def prediction(
        self, row: int, version: VersionName, hard: HardExample | None = None
    ) -> Prediction:
        """Return the prediction of one row: answers to what shows, sizes of its images."""
        return Prediction(
            image=self.images.refs[row],
            answers={
                name: predictions.answers[row]
                for name, predictions in self.predictions.items()
                if name not in self.shown or self.shown[name][row]
            },
            score=float(self.score[row]),
            version=version,
            size=self.images.size(row),
            hard=hard,
            sizes={name: batch.size(row) for name, batch in self.images.others.items()},
        )
