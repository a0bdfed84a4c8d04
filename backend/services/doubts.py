"""Human labels that the models strongly doubt, listed for a second look."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain import Answer, Kind, ProjectId, TaskId
from backend.policies.box_errors import doubted_boxes
from backend.policies.label_errors import Suspect, doubted
from backend.ports import Guesses, LabelStudio, Lesson, Model, Progress
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
    """Labeled tasks, what people said, and guesses of a model that never saw them."""
    if model.out_of_fold is not None:
        return lesson.train.tasks, lesson.train_answers, model.out_of_fold
    guesses = model.predict(lesson.held_out, lesson.fetch, progress)
    return lesson.held_out.tasks, lesson.held_out_answers, guesses


def _suspects(
    lesson: Lesson, tasks: Sequence[TaskId], answers: Sequence[Answer], guesses: Guesses
) -> Sequence[Suspect]:
    if not tasks:
        return ()
    if lesson.control.kind is Kind.DETECTION:
        return doubted_boxes(tasks, answers, guesses.answers)
    return doubted(lesson.control, tasks, answers, guesses.probabilities)
