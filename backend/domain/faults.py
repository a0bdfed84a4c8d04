"""Count the images that cannot be read by what is wrong with them."""

from collections.abc import Iterable
from dataclasses import dataclass

from backend.domain.answers import NoPrediction
from backend.domain.ids import TaskId
from backend.domain.items import ItemKind


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason that several images have in common; `task` is the first of them."""

    reason: str
    images: int
    task: TaskId

    def sentence(self, items: ItemKind = ItemKind.IMAGE) -> str:
        """Describe the fault; `items` is what it is a fault of."""
        if self.images == 1:
            return f"task {self.task}: {self.reason}"
        return f"{self.images:,} {items.plural}, the first of task {self.task}: {self.reason}"


def faults_of(unreadable: Iterable[NoPrediction]) -> list[Fault]:
    """Return each fault once, the most frequent first.

    A fault of one image names the image, and one of several does not.
    """
    by_fault: dict[str, list[NoPrediction]] = {}
    for slot in unreadable:
        by_fault.setdefault(slot.fault or slot.reason, []).append(slot)
    found = [
        Fault(slots[0].reason if len(slots) == 1 else fault, len(slots), slots[0].task)
        for fault, slots in by_fault.items()
    ]
    return sorted(found, key=lambda one: -one.images)
