"""Choose the answers that people confirm at a glance, a wall of images for each."""

from collections import Counter
from collections.abc import Iterable

from backend.domain.answers import Answer, Answers
from backend.domain.ids import ControlName
from backend.domain.schema import LabelSchema

MOST = 8
"""Walls of a project; the other images are under `To be confirmed`."""


def choose_walls(schema: LabelSchema, predicted: Iterable[Answers]) -> list[Answers]:
    """Return the most frequent answers, the most frequent first; ties in the order predicted.

    A wall shows whole images and no rectangles, so a project that asks for rectangles has none.
    An answer without a label has none either: nothing in its prediction would tell it apart.
    """
    if any(control.is_drawn for control in schema.controls):
        return []
    images = Counter(_labeled(answers) for answers in predicted)
    del images[()]
    return [dict(answers) for answers, _ in images.most_common(MOST)]


def _labeled(answers: Answers) -> tuple[tuple[ControlName, Answer], ...]:
    return tuple((control, answer) for control, answer in answers.items() if answer.labels)
