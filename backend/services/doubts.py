"""Human labels that the models strongly doubt, listed for a second look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Answer, Kind, ProjectId, TaskId
from backend.model_family import Lesson, Model
from backend.pictures import Guesses
from backend.policies.box_errors import doubted_boxes
from backend.policies.label_errors import Suspect, doubted
from backend.ports import LabelStudio, Progress
from backend.services.learning import Learned

TAB = "Check these labels"
MOST = 100
"""Suspects listed at once; the most doubtful first."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Finds doubted labels and keeps their tab."""

    label_studio: LabelStudio

    def find(self, learned: Learned, progress: Progress) -> Sequence[Suspect]:
        """The most doubtful labels of all controls."""
        found = [
            suspect
            for name, lesson in learned.lessons.items()
            for suspect in _suspects(lesson, *_unseen(lesson, learned.models[name], progress))
        ]
        return sorted(found, key=lambda suspect: -suspect.doubt)[:MOST]

    def show(self, project: ProjectId, suspects: Sequence[Suspect]) -> None:
        """Make the tab list exactly these."""
        tasks = tuple(dict.fromkeys(suspect.task for suspect in suspects))
        self.label_studio.list_in_tab(project, TAB, tasks)


Unseen = tuple[Sequence[TaskId], Sequence[Answer], Guesses]


def _unseen(lesson: Lesson, model: Model, progress: Progress) -> Unseen:
    """Labeled tasks, what people said, and guesses of models that never saw them."""
    held_out = model.predict(lesson.held_out, lesson.fetch, progress)
    if model.out_of_fold is None:
        return lesson.held_out.tasks, lesson.held_out_answers, held_out
    return (
        (*lesson.train.tasks, *lesson.held_out.tasks),
        (*lesson.train_answers, *lesson.held_out_answers),
        _joined(model.out_of_fold, held_out),
    )


def _joined(one: Guesses, other: Guesses) -> Guesses:
    """The rows of both."""
    return Guesses(
        (*one.answers, *other.answers),
        np.concatenate([one.confidence, other.confidence]),
        np.concatenate([one.probabilities, other.probabilities]),
    )


def _suspects(
    lesson: Lesson, tasks: Sequence[TaskId], answers: Sequence[Answer], guesses: Guesses
) -> Sequence[Suspect]:
    if not tasks:
        return ()
    if lesson.control.kind is Kind.DETECTION:
        return doubted_boxes(tasks, answers, guesses.answers)
    return doubted(lesson.control, tasks, answers, guesses.probabilities)
