"""Which of the guesses a person should look at first, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from backend.domain import HardExample, TaskId
from backend.policies.hardness import DEFAULT, Table, examine
from backend.policies.miners.evidence import Evidence
from backend.ports import Progress
from backend.services.labeling import Guessed
from backend.services.learning import Material, Models, answered
from backend.services.viewing import Viewing


@dataclass(frozen=True, slots=True)
class HardExamples:
    """Holds a version's guesses against the labeled images, control by control."""

    viewing: Viewing | None = None
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
            rows, answers = answered(control, material)
            evidence = Evidence(
                control=control,
                pictures=guessed.pictures,
                guesses=guessed.guesses[control.name],
                labeled=material.labeled.take(rows),
                labeled_answers=answers,
                views=self.viewing.views(control, models[control.name], material, guessed, progress)
                if self.viewing
                else {},
            )
            yield from examine(evidence, self.table).examples


def _both(one: HardExample, other: HardExample) -> HardExample:
    coefficient = 1 - (1 - one.coefficient) * (1 - other.coefficient)
    return HardExample(one.task, coefficient, one.reasons + other.reasons)
