"""One active-learning round: learn from what people labeled, label the rest, show the hard ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from backend.domain.errors import Refused
from backend.domain.ids import ControlName, ProjectId, TaskId, VersionName
from backend.domain.jobs import Decision, Job, JobRequest, JobResult
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.version_names import control_folder
from backend.domain.versions import Certificate, Ledger, ModelVersion
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.ports.images import FeatureExtractor
from backend.ports.progress import Steps
from backend.ports.stores import Versions
from backend.services import audit_sample, next_picks, project_tasks
from backend.services.assessment import Assessment, Assessor
from backend.services.audit_sample import AuditSamples
from backend.services.next_picks import SuggestingProject
from backend.services.project_tasks import ProjectTasks
from backend.services.publishing.finishing import Finishing
from backend.services.reporting import report
from backend.services.reporting.reporter import Reporter
from backend.services.training import seen_tasks
from backend.services.training.dataset import look
from backend.services.training.label_issues import LabelIssues
from backend.services.training.promotion import Comparison
from backend.services.training.train import Dataset, Learned, Learning
from backend.settings import Settings


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ActiveLearning:
    """The active-learning job."""

    label_studio: SuggestingProject
    extractor: FeatureExtractor
    audits: AuditSamples
    learning: Learning
    comparison: Comparison
    assessor: Assessor
    doubts: LabelIssues
    finishing: Finishing
    reporter: Reporter
    versions: Versions
    settings: Settings
    packages: Mapping[str, str]
    now: Callable[[], datetime] = field(default=_now)

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job.

        Raises:
            Refused: when the preconditions do not hold any more.
        """
        request, progress = job.request, steps.progress
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        with steps(Step.LIST):
            everyone = project_tasks.take(self.label_studio, request.project, schema, progress)
            ledger = self.audits.draw(request, everyone)
            everyone = self.audits.with_unanswered(request.project, schema, ledger, everyone)
            people = everyone.only(request.task_ids) if request.task_ids else everyone
            self._require_enough(schema, people, ledger)
            self.audits.keep(request.project, ledger, everyone)
        dataset, unreadable = look(self.extractor, schema, people, ledger, progress)
        current = self.versions.current(request.project)
        with steps(Step.TRAIN):
            learned = self.learning.learn(
                dataset, request.algorithm, self._previous(request.project), progress
            )
            better = self.comparison.decide(schema, learned, current, progress)
        models, known = learned.models, frozenset[TaskId]()
        if current and not better.yes:
            models = self.learning.load(schema, current, self.versions)
            known = seen_tasks.known(self.versions, current)
        with steps(Step.PREDICT):
            findings = self.assessor.findings(
                request, everyone, ledger, dataset.unseen_by(known), models, progress
            )
            doubts = self.doubts.find(learned, current, progress)
        published = self._publish(
            request, schema, dataset, learned, better, findings.verdict.certificates
        )
        shown = current if current and not better.yes else published
        with steps(Step.PUSH):
            finished = self.finishing.finish(
                job, schema, shown, findings, progress, activate=better.yes
            )
            waiting = audit_sample.waiting(ledger, everyone)
            finished.cleanup(
                "listing the doubted labels", lambda: self.doubts.show(request.project, doubts)
            )
            finished.cleanup(
                "listing what to label next",
                lambda: self._show_next(request.project, shown.name, dataset, findings, waiting),
            )
            finished.cleanup(
                "deleting the oldest versions",
                lambda: self.versions.prune(request.project, self.settings.keep_versions),
            )
        return self.reporter.tell(
            job,
            published,
            people=everyone,
            dataset=dataset,
            findings=findings,
            finished=finished,
            unreadable=unreadable,
            seconds=steps.seconds,
            reason=findings.verdict.reason or better.reason,
            training=report.of_training(learned, doubts),
        )

    def _show_next(
        self,
        project: ProjectId,
        version: VersionName,
        dataset: Dataset,
        findings: Assessment,
        waiting: Sequence[TaskId],
    ) -> None:
        count, seed = self.settings.next_picks, self.settings.seed
        if count:
            chosen = next_picks.next_picks(dataset, findings.predicted, count, seed, waiting)
            next_picks.show(self.label_studio, project, version, chosen)

    def _require_enough(self, schema: LabelSchema, people: ProjectTasks, ledger: Ledger) -> None:
        trainable = project_tasks.trainable(people.labeled, ledger)
        ready = preconditions.check(
            schema,
            project_tasks.count(schema, trainable),
            len(trainable),
            len(people.unlabeled),
            self.settings.min_labels,
            self.settings.min_images_per_label,
            project_tasks.set_aside(people.labeled, ledger),
        )
        if ready.reasons:
            raise Refused(ready.reasons)

    def _previous(self, project: ProjectId) -> Callable[[ControlName], Path | None]:
        current = self.versions.current(project)

        def folder(control: ControlName) -> Path | None:
            if current is None or control not in current.kinds:
                return None
            return self.versions.folder(project, current.name, control)

        return folder

    def _publish(
        self,
        request: JobRequest,
        schema: LabelSchema,
        dataset: Dataset,
        learned: Learned,
        better: Decision,
        certificates: tuple[Certificate, ...],
    ) -> ModelVersion:
        parent = self.versions.current(request.project)
        controls = [control for control in schema.controls if control.name in learned.models]

        def card(name: VersionName) -> ModelVersion:
            return ModelVersion(
                name=name,
                project=request.project,
                kinds={control.name: control.kind for control in controls},
                labels={control.name: control.labels for control in controls},
                metrics={name: dict(model.metrics) for name, model in learned.models.items()},
                trained_on=report.trained_on(schema, dataset, learned.held_out),
                parent=parent.name if parent else None,
                created=self.now(),
                backbone=self.extractor.backbone,
                device=self.extractor.device,
                packages=self.packages,
                promoted=better.yes,
                reason=better.reason,
                certificate=certificates[0] if better.yes and certificates else None,
            )

        def write(folder: Path) -> None:
            for name, model in learned.models.items():
                own = control_folder(folder, name)
                own.mkdir()
                model.save(own)
                seen_tasks.write(own, learned.training_sets[name])

        return self.versions.publish(request.project, card, write)
