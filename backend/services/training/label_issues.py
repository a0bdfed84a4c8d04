"""Human labels that the models strongly doubt, listed for a second look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer
from backend.domain.batches import Guesses
from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, TaskId
from backend.domain.schema import Control, Kind
from backend.domain.versions import ModelVersion
from backend.policies.box_label_issues import doubted_boxes
from backend.policies.label_issues import Suspect, doubted
from backend.ports.label_studio import LabelStudio
from backend.ports.model_family import Lesson, Model
from backend.ports.progress import Progress
from backend.services.training import seen_tasks
from backend.services.training.train import Learned, Learning

TAB = "Check these labels"
MOST = 100
"""Suspects listed at once; the most doubtful first."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Finds doubted labels and keeps their tab."""

    label_studio: LabelStudio
    learning: Learning

    def find(
        self, learned: Learned, current: ModelVersion | None, progress: Progress
    ) -> Sequence[Suspect]:
        """The most doubtful labels of all controls; `current` is what was shown until now."""
        found = [
            suspect
            for name, lesson in learned.lessons.items()
            for suspect in _suspects(
                lesson.control, self._unseen(lesson, learned.models[name], current, progress)
            )
        ]
        return sorted(found, key=lambda suspect: -suspect.doubt)[:MOST]

    def show(self, project: ProjectId, suspects: Sequence[Suspect]) -> None:
        """Make the tab list exactly these."""
        tasks = tuple(dict.fromkeys(suspect.task for suspect in suspects))
        self.label_studio.list_in_tab(project, TAB, tasks)

    def _unseen(
        self, lesson: Lesson, model: Model, current: ModelVersion | None, progress: Progress
    ) -> "_Unseen":
        said = model.predict(lesson.held_out, lesson.fetch, progress)
        held_out = _Unseen(lesson.held_out.tasks, lesson.held_out_answers, said)
        if model.out_of_fold is not None:
            return _Unseen(lesson.train.tasks, lesson.train_answers, model.out_of_fold) + held_out
        newer = self._newly_labeled(lesson, current, progress)
        return newer + held_out if newer else held_out

    def _newly_labeled(
        self, lesson: Lesson, current: ModelVersion | None, progress: Progress
    ) -> "_Unseen | None":
        """Labeled since the current version, which has not seen them; it must know all labels."""
        name, folder = lesson.control.name, lesson.previous
        if folder is None or not current or current.labels.get(name) != lesson.control.labels:
            return None
        known = seen_tasks.known_to(folder)
        rows = [row for row, task in enumerate(lesson.train.tasks) if task not in known]
        if not rows:
            return None
        try:
            model = self.learning.families[lesson.control.kind].load(folder, lesson.control)
        except BadInput:  # made for another detector; what it would doubt is no loss
            return None
        pictures = lesson.train.take(rows)
        answers = [lesson.train_answers[row] for row in rows]
        said = model.predict(pictures, lesson.fetch, progress)
        return _Unseen(pictures.tasks, answers, said)


@dataclass(frozen=True, slots=True)
class _Unseen:
    """Labeled tasks, what people said, and guesses of models that never saw them."""

    tasks: Sequence[TaskId]
    answers: Sequence[Answer]
    guesses: Guesses

    def __add__(self, other: "_Unseen") -> "_Unseen":
        one, two = self.guesses, other.guesses
        guesses = Guesses(
            (*one.answers, *two.answers),
            np.concatenate([one.confidence, two.confidence]),
            np.concatenate([one.probabilities, two.probabilities]),
        )
        return _Unseen((*self.tasks, *other.tasks), (*self.answers, *other.answers), guesses)


def _suspects(control: Control, seen: _Unseen) -> Sequence[Suspect]:
    if not seen.tasks:
        return ()
    if control.kind is Kind.DETECTION:
        return doubted_boxes(seen.tasks, seen.answers, seen.guesses.answers)
    return doubted(control, seen.tasks, seen.answers, seen.guesses.probabilities)
