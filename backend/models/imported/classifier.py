"""A classifier from elsewhere: the probabilities of its classes, summed for each label."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backend.domain.answers import Answer, Choices
from backend.domain.arrays import Floats, Pixels
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.schema import Control, TaskKind
from backend.domain.steps import Step
from backend.domain.targets import multi_hot
from backend.models.calibration import ScoreCalibration
from backend.models.classification import evaluation
from backend.models.images.upright import reading
from backend.models.imported.card import ImportedCard
from backend.ports.images import Fetch
from backend.ports.progress import Progress

BATCH = 16
_CHOSEN = 0.5
"""Probability from which one of several labels is chosen, unless the file gives another."""


class ClassProbabilities(Protocol):
    """Runs a classifier on files."""

    def __call__(self, files: Sequence[Path]) -> Floats:
        """Return (n, classes) for image files of any kind. Raises UnreadableImage."""
        ...


class PixelProbabilities(Protocol):
    """Runs a classifier on pixels."""

    def __call__(self, images: Sequence[Pixels]) -> Floats:
        """Return (n, classes) for upright BGR images of any size."""
        ...


@dataclass(frozen=True, slots=True)
class OfPixels:
    """Implements `ClassProbabilities` by a classifier of pixels."""

    classify: PixelProbabilities

    def __call__(self, files: Sequence[Path]) -> Floats:
        return self.classify([_read(path) for path in files])


@dataclass(frozen=True, slots=True)
class ImportedClassifier:
    """Implements `model_family.Model`; its confidence is the network's own until calibrated."""

    card: ImportedCard
    control: Control
    probabilities: ClassProbabilities
    calibration: ScoreCalibration
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]
    folder: Path

    @property
    def out_of_fold(self) -> None:
        """None, as for every loaded model."""

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        rows: list[Floats] = [np.zeros((0, len(self.control.labels)))]
        for start in range(0, len(images), BATCH):
            progress(Step.PREDICT, start, len(images))
            files = [fetch(ref) for ref in images.refs[start : start + BATCH]]
            rows.append(self._of_labels(self.probabilities(files)))
        return self._answered(np.concatenate(rows))

    def calibrated_on(
        self, images: ImageBatch, answers: Sequence[Answer], fetch: Fetch, progress: Progress
    ) -> "ImportedClassifier":
        """Return the classifier with its confidence fitted to these labeled images."""
        raw = replace(self, calibration=ScoreCalibration()).predict(images, fetch, progress)
        pairs = zip(raw.answers, answers, strict=True)
        right = np.array([set(one.labels) == set(truth.labels) for one, truth in pairs])
        fitted = ScoreCalibration.of(raw.confidence, right.astype(np.bool_))
        calibrated = replace(self, calibration=fitted)
        shown = replace(raw, confidence=fitted(raw.confidence))
        truth = multi_hot(answers, self.control.labels)
        metrics, _ = evaluation.evaluate(self.control, shown, truth)
        notes = {**self.notes, "calibrated_on": len(answers)}
        return replace(calibrated, metrics=metrics, notes=notes)

    def save(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)

    def _of_labels(self, own: Floats) -> Floats:
        """Sum (n, classes) over the classes of each label: (n, labels)."""
        several = self.control.kind is TaskKind.MULTI
        merge = np.maximum if several else np.add
        combined = np.zeros((len(own), len(self.control.labels)))
        for column, name in enumerate(self.card.names):
            label = self.card.labels.get(name)
            if label in self.control.labels:
                place = self.control.labels.index(label)
                combined[:, place] = merge(combined[:, place], own[:, column])
        return np.clip(combined, 0, 1)

    def _thresholds(self) -> Floats:
        """Return those (labels,) that the file gives the class of a label; `_CHOSEN` otherwise."""
        known = self.card.labels
        of_label = [[name for name in known if known[name] == one] for one in self.control.labels]
        return np.array(
            [
                self.card.thresholds.get(names[0], _CHOSEN) if len(names) == 1 else _CHOSEN
                for names in of_label
            ]
        )

    def _answered(self, probabilities: Floats) -> PredictionBatch:
        labels = self.control.labels
        if self.control.kind is TaskKind.MULTI:
            chosen = probabilities >= self._thresholds()
            confidence = np.where(chosen, probabilities, 1 - probabilities).prod(axis=1)
        else:
            chosen = probabilities == probabilities.max(axis=1, keepdims=True, initial=0)
            chosen &= chosen.cumsum(axis=1) == 1
            confidence = probabilities.max(axis=1, initial=0)
        answers = tuple(
            Choices(tuple(label for label, yes in zip(labels, row, strict=True) if yes))
            for row in chosen
        )
        return PredictionBatch(answers, self.calibration(confidence), probabilities)


def _read(path: Path) -> Pixels:
    with reading(path) as pixels:
        return pixels.copy()
