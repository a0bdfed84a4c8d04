"""Label the unlabeled: guesses, hard examples, predictions in Label Studio.

Shared by both kinds of job. Everything is pushed before anything is switched, so a job that ends
early leaves what people see as it was.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import (
    ControlName,
    HardExample,
    LabelSchema,
    NoPrediction,
    Prediction,
    ProjectId,
    TaskId,
    VersionName,
)
from backend.domain.batches import Floats, Guesses, Pictures
from backend.domain.errors import BadInput, UnreadableImage
from backend.label_studio import codec, labeling_config
from backend.ports.label_studio import Gallery, LabelStudio, Progress, StoredPredictions
from backend.services.publishing.cleanup import Tidying
from backend.services.training.train import Models

BATCH = 2000
"""Predictions in one bulk import: Label Studio recounts the whole project at each call."""


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


@dataclass(frozen=True, slots=True)
class Delivered:
    """What Label Studio has now of what was said; some of it may have been there before."""

    predicted: int
    dropped: tuple[NoPrediction, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Puts predictions where people see them, then makes them the ones that are shown."""

    label_studio: LabelStudio
    stored: StoredPredictions

    def deliver(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        guessed: Guessed,
        hard: Mapping[TaskId, HardExample],
        progress: Progress,
        *,
        is_new: bool,
    ) -> Delivered:
        """Push all predictions that are not there yet, in large batches.

        Of a version that `is_new` there are none, which saves a look through the whole project.

        Raises:
            BadInput: when the labeling config changed since the job read it.
        """
        self._require_same_config(project, schema)
        there = frozenset[TaskId]() if is_new else self.label_studio.predicted(project, version)
        created, dropped = 0, list[NoPrediction]()
        kept = sum(task in there for task in guessed.pictures.tasks)
        total = len(guessed.pictures)
        for start in range(0, total, BATCH):
            progress("push", start, total)
            rows = range(start, min(start + BATCH, total))
            batch = [
                guessed.prediction(row, version, hard.get(guessed.pictures.refs[row].task))
                for row in rows
            ]
            wires = {prediction.image: codec.wire(prediction, schema) for prediction in batch}
            self.stored.put(project, version, wires)
            fresh = [prediction for prediction in batch if prediction.image.task not in there]
            pushed = self.label_studio.push(project, schema, fresh)
            created += pushed.created
            dropped += pushed.dropped
        progress("push", total, total)
        return Delivered(created + kept, tuple(dropped))

    def show(self, project: ProjectId, version: VersionName) -> None:
        """Make `version` the one that people see."""
        self.label_studio.show_version(project, version)

    def tidy(self, project: ProjectId, keep: Collection[VersionName], tidying: Tidying) -> None:
        """Forget the predictions of all our versions but these, and bring the tabs up to date."""
        tidying(
            "removing the predictions of other versions",
            lambda: self.label_studio.forget_versions(project, keep),
        )
        tidying(
            "forgetting the stored predictions of other versions",
            lambda: self.stored.prune(project, keep),
        )
        tidying("refreshing the tabs", lambda: self.label_studio.refresh_tabs(project))

    def list_in_tab(self, project: ProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        """Make a tab that lists exactly these tasks; none at all removes the tab."""
        self.label_studio.list_in_tab(project, title, tasks)

    def _require_same_config(self, project: ProjectId, schema: LabelSchema) -> None:
        now = labeling_config.parse(self.label_studio.project(project).label_config)
        if (now.data_key, now.controls) != (schema.data_key, schema.controls):
            raise BadInput("the labeling config changed while the job ran", "Start the job again")
