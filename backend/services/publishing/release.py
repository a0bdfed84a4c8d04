"""What a job publishes in Label Studio."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.ids import ProjectId, TaskId
from backend.domain.task_lists import TaskList
from backend.domain.versions import ModelVersion
from backend.services.assessment import Assessment
from backend.services.labeling_round import LabelingRound


@dataclass(frozen=True, slots=True)
class Release:
    """The predictions of a version that a round made, and the lists to show beside them.

    `activate` makes the version the current one. One that `is_new` has no predictions in Label
    Studio, also none of a job that broke off.
    """

    round_: LabelingRound
    version: ModelVersion
    assessment: Assessment
    activate: bool = False
    is_new: bool = False
    lists: Sequence[TaskList] = ()

    @property
    def project(self) -> ProjectId:
        return self.round_.project

    @property
    def unpredicted(self) -> list[TaskId]:
        """The unlabeled tasks without a new prediction, whose old ones stay.

        Their images could not be read, or they were not chosen. Images of the audit sample are to
        have none.
        """
        done = self.round_.ledger.withheld.union(self.assessment.predicted.images.tasks)
        return [ref.task for ref in self.round_.tasks.unlabeled if ref.task not in done]

    @property
    def hard_and_empty(self) -> list[TaskId]:
        """The hard examples without any predicted label, the hardest first."""
        tasks = self.assessment.predicted.images.tasks
        labeled = {
            task
            for predictions in self.assessment.predicted.predictions.values()
            for task, answer in zip(tasks, predictions.answers, strict=True)
            if answer.labels
        }
        empty = [one for one in self.assessment.hard.values() if one.task not in labeled]
        return [example.task for example in sorted(empty, key=lambda one: -one.coefficient)]
