"""Find human labels that are probably wrong, and list them for a second look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer
from backend.domain.batches import PredictionBatch
from backend.domain.errors import BadInput, NoWeights
from backend.domain.ids import TaskId
from backend.domain.schema import Control, TaskKind
from backend.domain.tab_titles import TabTitle
from backend.domain.task_lists import TaskList
from backend.domain.versions import ModelVersion
from backend.policies.box_label_issues import find_box_label_issues
from backend.policies.label_issues import LabelIssue, find_label_issues
from backend.ports.model_family import Model, TrainingSet
from backend.ports.progress import Progress
from backend.services.training import seen_tasks
from backend.services.training.train import TrainedModels, Trainer

MOST = 100
"""Issues listed at once, the most severe first."""


def listed(issues: Sequence[LabelIssue]) -> TaskList:
    """Return the list of these tasks for their tab."""
    return TaskList(TabTitle.LABEL_ISSUES, tuple(dict.fromkeys(issue.task for issue in issues)))


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """Finds label issues."""

    trainer: Trainer

    def find(
        self, trained: TrainedModels, current: ModelVersion | None, progress: Progress
    ) -> Sequence[LabelIssue]:
        """Return the most severe issues of all controls; `current` is the version shown so far."""
        found = [
            issue
            for name, training_set in trained.training_sets.items()
            for issue in _issues(
                training_set.control,
                self._unseen(training_set, trained.models[name], current, progress),
            )
        ]
        return sorted(found, key=lambda issue: -issue.severity)[:MOST]

    def _unseen(
        self,
        training_set: TrainingSet,
        model: Model,
        current: ModelVersion | None,
        progress: Progress,
    ) -> "_Unseen":
        predictions = model.predict(training_set.held_out, training_set.fetch, progress)
        held_out = _Unseen(training_set.held_out.tasks, training_set.held_out_answers, predictions)
        if model.out_of_fold is not None:
            return (
                _Unseen(training_set.train.tasks, training_set.train_answers, model.out_of_fold)
                + held_out
            )
        newer = self._newly_labeled(training_set, current, progress)
        return newer + held_out if newer else held_out

    def _newly_labeled(
        self, training_set: TrainingSet, current: ModelVersion | None, progress: Progress
    ) -> "_Unseen | None":
        """Predict what was labeled since the current version, which must know all labels."""
        name, folder = training_set.control.name, training_set.previous
        if folder is None or not current or current.labels.get(name) != training_set.control.labels:
            return None
        known = seen_tasks.of_control(folder)
        rows = [row for row, task in enumerate(training_set.train.tasks) if task not in known]
        if not rows:
            return None
        try:
            model = self.trainer.families[training_set.control.kind].load(
                folder, training_set.control
            )
        except (BadInput, NoWeights):  # made for another detector: its issues are not needed
            return None
        images = training_set.train.take(rows)
        answers = [training_set.train_answers[row] for row in rows]
        predictions = model.predict(images, training_set.fetch, progress)
        return _Unseen(images.tasks, answers, predictions)


@dataclass(frozen=True, slots=True)
class _Unseen:
    """Labeled tasks, their labels, and predictions of models that were not trained on them."""

    tasks: Sequence[TaskId]
    answers: Sequence[Answer]
    predictions: PredictionBatch

    def __add__(self, other: "_Unseen") -> "_Unseen":
        one, two = self.predictions, other.predictions
        predictions = PredictionBatch(
            (*one.answers, *two.answers),
            np.concatenate([one.confidence, two.confidence]),
            np.concatenate([one.probabilities, two.probabilities]),
        )
        return _Unseen((*self.tasks, *other.tasks), (*self.answers, *other.answers), predictions)


def _issues(control: Control, seen: _Unseen) -> Sequence[LabelIssue]:
    if not seen.tasks:
        return ()
    if control.kind is TaskKind.DETECTION:
        return find_box_label_issues(seen.tasks, seen.answers, seen.predictions.answers)
    return find_label_issues(control, seen.tasks, seen.answers, seen.predictions.probabilities)
