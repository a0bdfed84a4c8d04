"""Which of the guesses a person should look at first, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain import HardExample, TaskId
from backend.services.labeling import Guessed
from backend.services.learning import Material, Models


@dataclass(frozen=True, slots=True)
class HardExamples:
    """Runs the hardness miners over a version's guesses."""

    def find(
        self, material: Material, models: Models, guessed: Guessed
    ) -> Mapping[TaskId, HardExample]:
        return {}
