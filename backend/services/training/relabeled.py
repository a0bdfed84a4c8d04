"""A model whose labels were renamed, merged or deleted since it was trained.

The model's folder stays as it is. The version's card says to which label of the control each of
the model's own labels belongs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain.answers import Answer, Choices, Region, Regions
from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import Label
from backend.domain.label_edits import DELETED
from backend.domain.schema import Control, TaskKind
from backend.ports.images import Fetch
from backend.ports.model_family import Model
from backend.ports.progress import Progress


def own_control(control: Control, renamed: Mapping[Label, Label]) -> Control:
    """Return the control with the labels that the model was trained on."""
    return replace(control, labels=tuple(renamed))


@dataclass(frozen=True, slots=True)
class RelabeledModel:
    """Implements `model_family.Model` on top of a model that answers in its own labels.

    `renamed` maps each label of the model to one of the control, or to `DELETED`.
    """

    model: Model
    control: Control
    renamed: Mapping[Label, Label]

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.model.metrics

    @property
    def out_of_fold(self) -> None:
        """None, as for every loaded model."""

    @property
    def notes(self) -> Mapping[str, Any]:
        return self.model.notes

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        own = self.model.predict(images, fetch, progress)
        probabilities = self._combined(own.probabilities)
        if self.control.kind is TaskKind.SINGLE and not self._is_one_to_one:
            return _most_probable(probabilities, self.control.labels)
        answers = tuple(_relabeled(answer, self.renamed) for answer in own.answers)
        return PredictionBatch(answers, own.confidence, probabilities)

    def save(self, folder: Path) -> None:
        self.model.save(folder)

    @property
    def _is_one_to_one(self) -> bool:
        return len({*self.renamed.values()} - {DELETED}) == len(self.renamed)

    def _combined(self, own: Floats) -> Floats:
        """Return probabilities (n, K) of the control's labels from those (n, k) of the model's.

        Exclusive labels that were merged add up; of others the larger one counts.
        """
        merge = np.add if self.control.kind is TaskKind.SINGLE else np.maximum
        combined = np.zeros((len(own), len(self.control.labels)), dtype=np.float32)
        for column, label in enumerate(self.renamed.values()):
            if label in self.control.labels:
                place = self.control.labels.index(label)
                combined[:, place] = merge(combined[:, place], own[:, column])
        return combined


def _most_probable(probabilities: Floats, labels: Sequence[Label]) -> PredictionBatch:
    """Answer with the most probable label; what a deleted one had is shared by the others."""
    total = probabilities.sum(axis=1, keepdims=True)
    shares = np.divide(probabilities, total, out=np.zeros_like(probabilities), where=total > 0)
    best = shares.argmax(axis=1)
    answers = tuple(Choices((labels[int(column)],)) for column in best)
    return PredictionBatch(answers, shares[np.arange(len(best)), best], shares)


def _relabeled(answer: Answer, renamed: Mapping[Label, Label]) -> Answer:
    if isinstance(answer, Choices):
        labels = dict.fromkeys(renamed[label] for label in answer.labels)
        return Choices(tuple(label for label in labels if label != DELETED))
    best: dict[tuple[Any, Label], Region] = {}
    for region in answer.regions:
        label = renamed[region.label]
        if label == DELETED:
            continue
        new, known = replace(region, label=label), best.get((region.box, label))
        if known is None or (new.score or 0) > (known.score or 0):
            best[region.box, label] = new
    return Regions(tuple(best.values()))
