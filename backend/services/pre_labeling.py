"""Label with a chosen model version. Trains nothing; safe to repeat."""

from dataclasses import dataclass
from typing import Protocol

from backend.domain.errors import Refused
from backend.domain.ids import UNTRAINED
from backend.domain.jobs import Job, JobRequest, JobResult
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.ports.images import FeatureExtractor
from backend.ports.label_studio import PredictionEditor, ProjectContents
from backend.ports.progress import Steps
from backend.ports.stores import Versions
from backend.services import project_tasks
from backend.services.assessment import Assessor
from backend.services.audit_sample import AuditSamples
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.finishing import Finishing
from backend.services.reporting.reporter import Reporter
from backend.services.training import seen_tasks
from backend.services.training.dataset import look
from backend.services.training.train import Learning


class PredictedProject(ProjectContents, PredictionEditor, Protocol):
    """A project whose tasks are read, and the predictions that they already have."""


@dataclass(frozen=True, slots=True)
class PreLabeling:
    """The pre-labeling job."""

    label_studio: PredictedProject
    extractor: FeatureExtractor
    audits: AuditSamples
    learning: Learning
    assessor: Assessor
    finishing: Finishing
    reporter: Reporter
    versions: Versions

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job.

        Raises:
            Refused: when the version's kinds or labels are not those of the project.
            NotFound: when there is no such version.
        """
        request, progress = job.request, steps.progress
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        version = self._version(request, schema)
        with steps(Step.LIST):
            everyone = project_tasks.take(self.label_studio, request.project, schema, progress)
            ledger = self.audits.draw(request, everyone)
            everyone = self.audits.with_unanswered(request.project, schema, ledger, everyone)
            self.audits.keep(request.project, ledger, everyone)
            people = self._waiting(request, version, everyone)
        dataset, unreadable = look(self.extractor, schema, people, ledger, progress)
        with steps(Step.PREDICT):
            models = self.learning.load(schema, version, self.versions)
            unseen = dataset.unseen_by(seen_tasks.known(self.versions, version))
            findings = self.assessor.findings(request, everyone, ledger, unseen, models, progress)
        with steps(Step.PUSH):
            finished = self.finishing.finish(
                job, schema, version, findings, progress, activate=False
            )
        return self.reporter.tell(
            job,
            version,
            people=everyone,
            dataset=dataset,
            findings=findings,
            finished=finished,
            unreadable=unreadable,
            seconds=steps.seconds,
            reason=findings.verdict.reason or "done",
        )

    def _version(self, request: JobRequest, schema: LabelSchema) -> ModelVersion:
        version = self.versions.get(request.project, request.model_version or UNTRAINED)
        if unfit := preconditions.model_fits(schema, version):
            raise Refused(unfit)
        return version

    def _waiting(
        self, request: JobRequest, version: ModelVersion, people: ProjectTasks
    ) -> ProjectTasks:
        """The unlabeled tasks without a prediction of this version: a repeat sends none twice.

        With `accept` they all count, since what was predicted before may be accepted now.
        """
        if request.task_ids:
            people = people.only(request.task_ids)
        if request.accept:
            return people
        return people.without(self.label_studio.predicted(request.project, version.name))
