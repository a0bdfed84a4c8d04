"""Put predictions where people see them.

Everything is pushed before anything is switched, so a job that ends early leaves what people see as
it was.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.domain.answers import HardExample, NoPrediction
from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.label_studio import codec, labeling_config
from backend.ports.label_studio import PredictionEditor, ProjectReader, TabEditor
from backend.ports.progress import Progress
from backend.ports.stores import StoredPredictions
from backend.services.prediction.inference import ProjectPredictions
from backend.services.publishing.cleanup import Cleanup

BATCH = 2000
"""Predictions in one bulk import: Label Studio recounts the whole project at each call."""


@dataclass(frozen=True, slots=True)
class PublishedPredictions:
    """What Label Studio has now of what was said; some of it may have been there before."""

    predicted: int
    dropped: tuple[NoPrediction, ...]


class PublishedProject(ProjectReader, PredictionEditor, TabEditor, Protocol):
    """A project whose predictions and tabs are kept up to date."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Puts predictions where people see them, then makes them the ones that are shown."""

    label_studio: PublishedProject
    stored: StoredPredictions

    def publish(
        self,
        project: ProjectId,
        schema: LabelSchema,
        version: VersionName,
        predicted: ProjectPredictions,
        hard: Mapping[TaskId, HardExample],
        progress: Progress,
        *,
        is_new: bool,
    ) -> PublishedPredictions:
        """Push all predictions that are not there yet, in large batches.

        Of a version that `is_new` there are none, which saves a look through the whole project.

        Raises:
            BadInput: when the labeling config changed since the job read it.
        """
        self._require_same_config(project, schema)
        there = frozenset[TaskId]() if is_new else self.label_studio.predicted(project, version)
        created, dropped = 0, list[NoPrediction]()
        kept = sum(task in there for task in predicted.images.tasks)
        total = len(predicted.images)
        for start in range(0, total, BATCH):
            progress(Step.PUSH, start, total)
            rows = range(start, min(start + BATCH, total))
            batch = [
                predicted.prediction(row, version, hard.get(predicted.images.refs[row].task))
                for row in rows
            ]
            serialized = {
                prediction.image: codec.serialize(prediction, schema) for prediction in batch
            }
            self.stored.put(project, version, serialized)
            fresh = [prediction for prediction in batch if prediction.image.task not in there]
            pushed = self.label_studio.push(project, schema, fresh)
            created += pushed.created
            dropped += pushed.dropped
        progress(Step.PUSH, total, total)
        return PublishedPredictions(created + kept, tuple(dropped))

    def show(self, project: ProjectId, version: VersionName) -> None:
        """Make `version` the one that people see."""
        self.label_studio.show_version(project, version)

    def clean_up(self, project: ProjectId, keep: Collection[VersionName], cleanup: Cleanup) -> None:
        """Forget the predictions of all our versions but these, and bring the tabs up to date."""
        cleanup(
            "removing the predictions of other versions",
            lambda: self.label_studio.forget_versions(project, keep),
        )
        cleanup(
            "forgetting the stored predictions of other versions",
            lambda: self.stored.prune(project, keep),
        )
        cleanup("refreshing the tabs", lambda: self.label_studio.refresh_tabs(project))

    def list_in_tab(self, project: ProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        """Make a tab that lists exactly these tasks; none at all removes the tab."""
        self.label_studio.list_in_tab(project, title, tasks)

    def _require_same_config(self, project: ProjectId, schema: LabelSchema) -> None:
        now = labeling_config.parse(self.label_studio.project(project).label_config)
        if (now.data_key, now.controls) != (schema.data_key, schema.controls):
            raise BadInput("the labeling config changed while the job ran", "Start the job again")
