"""The parts in which a model predicts many images.

A job keeps each part, so that it loses one at most. Everything else predicts in the same parts: the
last digits of a product of matrices depend on how many rows it has, and a round compares its
predictions with those that it made early.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from backend.domain.schema import Control, TaskKind
from backend.domain.steps import Step
from backend.ports.progress import Progress

PARTS: Final[Mapping[TaskKind, int]] = {TaskKind.DETECTION: 500}
"""Images in a part, by kind of control: those of a detector take about as long as others' below."""

PART: Final = 20_000


def parts_of(control: Control, rows: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield the rows of each part."""
    size = PARTS.get(control.kind, PART)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def share(progress: Progress, before: int, of: int) -> Progress:
    """Report the progress of a part as that of the whole."""

    def report(step: Step, done: int, _of: int, detail: str = "") -> None:
        progress(step, before + done, of, detail)

    return report
