"""Label with a chosen model version. Trains nothing; safe to repeat."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from backend.domain.errors import Refused
from backend.domain.ids import UNTRAINED, ProjectId
from backend.domain.jobs import Job, JobRequest, JobResult
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.version_names import is_published_model
from backend.domain.versions import Ledger, ModelVersion
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.ports.label_studio import PredictionEditor, ProjectReader
from backend.ports.progress import Steps
from backend.ports.stores import StoredPredictions, Versions
from backend.ports.unfinished import UnfinishedJobs
from backend.services.assessment import Assessor
from backend.services.audits import AuditDraw
from backend.services.labeling_round import Collector
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.publisher import Publisher
from backend.services.publishing.release import Release
from backend.services.reporting.reporter import Reporter
from backend.services.resuming.kept_predictions import KeptPredictions
from backend.services.resuming.keys import predicting_key
from backend.services.sharding.crew import Crew
from backend.services.training.train import Trainer, calibrated


class PredictedProject(ProjectReader, PredictionEditor, Protocol):
    """A project, and the predictions that its tasks already have."""


@dataclass(frozen=True, slots=True)
class PreLabeling:
    """The pre-labeling job: collect, predict, publish, report.

    `imported` returns the version of a published model, which it imports if need be.
    """

    label_studio: PredictedProject
    collector: Collector
    trainer: Trainer
    assessor: Assessor
    audit_draw: AuditDraw
    publisher: Publisher
    reporter: Reporter
    versions: Versions
    stored: StoredPredictions
    unfinished: UnfinishedJobs
    crew: Crew
    imported: Callable[[ProjectId, str], ModelVersion]

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job.

        Raises:
            Refused: when the version's kinds or labels are not those of the project.
            NotFound: when there is no such version.
            NoWeights: when a published model cannot be had.
        """
        schema = labeling_config.parse(self.label_studio.project(job.request.project).label_config)
        version = self._version(job.request, schema)

        def choose(tasks: ProjectTasks, _: Ledger) -> ProjectTasks:
            return self._to_predict(job.request, version, tasks)

        # first, because a version may hold the encoder that embeds its texts
        loaded = self.trainer.load(schema, version, self.versions)
        round_ = self.collector.collect(job, schema, choose, steps, version)
        with steps(Step.PREDICT) as progress:
            models = calibrated(loaded, round_.dataset, self.trainer.fetch, progress)
            kept = self.unfinished.open(round_.project, predicting_key(round_, version))
            # others would load the version, whose scores nobody has calibrated on these labels
            is_as_loaded = all(models[name] is one for name, one in loaded.items())
            crew = self.crew if is_as_loaded else None
            keep = KeptPredictions(kept, version.name, crew, round_.job)
            assessment = self.assessor.assess(round_, models, version.augmentations, progress, keep)
        with steps(Step.PUSH) as progress:
            assessment = self.audit_draw.apply(round_, version.name, assessment, progress)
            training = self.reporter.earlier_training(round_.project, version.name)
            publication = self.publisher.publish(
                Release(round_, version, assessment),
                kept,
                progress,
                illustrate=partial(self.reporter.illustrate, round_, assessment, training),
            )
        return self.reporter.report(
            round_,
            version,
            assessment,
            publication,
            steps.seconds,
            reason=assessment.verdict or "done",
            training=training,
        )

    def _version(self, request: JobRequest, schema: LabelSchema) -> ModelVersion:
        name = request.model_version or UNTRAINED
        if is_published_model(name):
            return self.imported(request.project, name)
        version = self.versions.get(request.project, name)
        if unfit := preconditions.model_fits(schema, version):
            raise Refused(unfit)
        return version

    def _to_predict(
        self, request: JobRequest, version: ModelVersion, tasks: ProjectTasks
    ) -> ProjectTasks:
        """Leave out tasks that have a prediction of this version.

        One that is not stored is made again, though not sent twice: a job broke off before it was
        stored. With `accept` all stay, because what was predicted before may be accepted now.
        """
        if request.task_ids:
            tasks = tasks.only(request.task_ids)
        if request.accept:
            return tasks
        there = self.label_studio.predicted(request.project, version.name)
        refs = [ref for ref in tasks.unlabeled if ref.task in there]
        return tasks.without(self.stored.known(request.project, version.name, refs))
