"""Label the unlabeled: guesses, hard examples, predictions in Label Studio.

Shared by both kinds of job. Everything is pushed before anything is switched, so a job that ends
early leaves what people see as it was.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import HardExample, NoPrediction, Prediction
from backend.domain.batches import Floats, Guesses, Pictures
from backend.domain.errors import UnreadableImage
from backend.domain.ids import ControlName, TaskId, VersionName
from backend.ports.images import Gallery
from backend.ports.progress import Progress
from backend.services.training.train import Models


@dataclass(frozen=True, slots=True)
class Guessed:
    """What all models of a version say about some pictures.

    `score` (n,): the product of the controls' confidences, the chance that all are right if
    their mistakes are independent.
    """

    pictures: Pictures
    guesses: Mapping[ControlName, Guesses]
    score: Floats

    def without(self, tasks: Collection[TaskId]) -> "Guessed":
        """The same but for these tasks."""
        rows = [row for row, task in enumerate(self.pictures.tasks) if task not in tasks]
        guesses = {name: said.take(rows) for name, said in self.guesses.items()}
        return Guessed(self.pictures.take(rows), guesses, self.score[rows])

    def prediction(
        self, row: int, version: VersionName, hard: HardExample | None = None
    ) -> Prediction:
        width, height = self.pictures.traits[row, :2]
        return Prediction(
            image=self.pictures.refs[row],
            answers={name: guesses.answers[row] for name, guesses in self.guesses.items()},
            score=float(self.score[row]),
            version=version,
            size=(int(width), int(height)),
            hard=hard,
        )


@dataclass(frozen=True, slots=True)
class Guessing:
    """Runs models over pictures; an image that went away costs only itself."""

    gallery: Gallery

    def guess(
        self, models: Models, pictures: Pictures, progress: Progress
    ) -> tuple[Guessed, Sequence[NoPrediction]]:
        """Guesses for all pictures that can still be read, and the others with why not."""
        try:
            return self._all(models, pictures, progress), ()
        except UnreadableImage:
            return self._readable(models, pictures, progress)

    def _all(self, models: Models, pictures: Pictures, progress: Progress) -> Guessed:
        guesses = {
            name: model.predict(pictures, self.gallery.fetch, progress)
            for name, model in models.items()
        }
        score = np.ones(len(pictures), dtype=np.float32)
        for said in guesses.values():
            score *= said.confidence.astype(np.float32)
        return Guessed(pictures, guesses, np.clip(np.nan_to_num(score), 0.0, 1.0))

    def _readable(
        self, models: Models, pictures: Pictures, progress: Progress
    ) -> tuple[Guessed, Sequence[NoPrediction]]:
        kept: list[int] = []
        gone: list[NoPrediction] = []
        for row, ref in enumerate(pictures.refs):
            try:
                self.gallery.fetch(ref)
                kept.append(row)
            except UnreadableImage as exc:
                gone.append(NoPrediction(ref.task, str(exc)))
        return self._all(models, pictures.take(kept), progress), gone
