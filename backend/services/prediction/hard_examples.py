"""Which of the guesses a person should look at first, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from backend.domain.answers import HardExample
from backend.domain.ids import TaskId
from backend.domain.schema import Control, Kind
from backend.policies.hard_examples.coefficient import DEFAULT, MODELARTS_WEIGHTS, Table, examine
from backend.policies.hard_examples.evidence import Evidence
from backend.ports.model_family import Model
from backend.ports.progress import Progress
from backend.services.prediction.box_statistics import Cropping
from backend.services.prediction.consistency import Viewing
from backend.services.prediction.inference import Guessed
from backend.services.training.train import Material, Models, answered
from backend.settings import Settings


@dataclass(frozen=True, slots=True)
class HardExamples:
    """Holds a version's guesses against the labeled images, control by control."""

    viewing: Viewing | None = None
    cropping: Cropping | None = None
    table: Table = field(default=DEFAULT)

    def find(
        self, material: Material, guessed: Guessed, models: Models, progress: Progress
    ) -> Mapping[TaskId, HardExample]:
        """The hard ones by task; several controls add up."""
        found: dict[TaskId, HardExample] = {}
        for example in self._examples(material, guessed, models, progress):
            before = found.get(example.task)
            found[example.task] = _both(before, example) if before else example
        return found

    def _examples(
        self, material: Material, guessed: Guessed, models: Models, progress: Progress
    ) -> Iterable[HardExample]:
        for control in material.schema.controls:
            if control.name not in guessed.guesses or not len(guessed.pictures):
                continue
            evidence = self._evidence(control, material, guessed, models[control.name], progress)
            yield from examine(evidence, self.table).examples

    def _evidence(
        self,
        control: Control,
        material: Material,
        guessed: Guessed,
        model: Model,
        progress: Progress,
    ) -> Evidence:
        rows, answers = answered(control, material)
        evidence = Evidence(
            control=control,
            pictures=guessed.pictures,
            guesses=guessed.guesses[control.name],
            labeled=material.labeled.take(rows),
            labeled_answers=answers,
        )
        if self.viewing:
            views = self.viewing.views(control, model, material, guessed, progress)
            evidence = replace(evidence, views=views)
        if self.cropping and control.kind is Kind.DETECTION:
            evidence = _with_crops(evidence, self.cropping, progress)
        return evidence


def table(settings: Settings) -> Table:
    """The published weights with what the settings change."""
    return Table(
        weights={**MODELARTS_WEIGHTS, **settings.hard_weights},
        threshold=settings.hard_threshold,
        most=settings.hard_share,
    )


def _with_crops(evidence: Evidence, cropping: Cropping, progress: Progress) -> Evidence:
    guesses, labeled = evidence.guesses, evidence.labeled
    newest = np.array(labeled.tasks, dtype=np.float64)
    return replace(
        evidence,
        crops=cropping.crops(
            evidence.pictures.refs, guesses.answers, 1 - guesses.confidence, progress
        ),
        labeled_crops=cropping.crops(labeled.refs, evidence.labeled_answers, newest, progress),
    )


def _both(one: HardExample, other: HardExample) -> HardExample:
    coefficient = 1 - (1 - one.coefficient) * (1 - other.coefficient)
    return HardExample(one.task, coefficient, one.reasons + other.reasons)
