"""The use cases behind one interface, for the web process and the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import QueueUnreachable, Refused
from backend.domain.ids import UNTRAINED, JobId, ProjectId, VersionName
from backend.domain.jobs import Job, JobRequest, Mode
from backend.domain.label_edits import LabelChange, LabelEdit, LabelEditPlan, LabelUse
from backend.domain.projects import ProjectStatus
from backend.domain.versions import ModelVersion, relabeled_from
from backend.domain.workers import Workforce
from backend.ports.application import ConnectableProjects
from backend.ports.jobs import AnnotationChanges, Jobs, Workers
from backend.ports.stores import ProjectOrigins, Versions
from backend.services.auditing import Auditing
from backend.services.auto_accept import AutoAccept
from backend.services.auto_train import AutoTrain
from backend.services.label_edits.plan import LabelPlanner
from backend.services.predict import Predict
from backend.services.readiness import Readiness
from backend.services.review_saving import ReviewSaving
from backend.services.reviewing import Reviewing
from backend.services.undo import UndoQueue, busy
from backend.services.watch_failures import WatchFailures
from backend.services.webhook_log import WebhookLog


@dataclass(frozen=True, slots=True)
class Application:
    """Implements `backend.ports.application.Backend` on top of the use cases.

    `queue_answers` pings Redis; `job_folder` is where the report of a job is written.
    """

    label_studio: ConnectableProjects
    versions: Versions
    jobs: Jobs
    changes: AnnotationChanges
    readiness: Readiness
    auto_accept: AutoAccept
    auditing: Auditing
    auto_train: AutoTrain
    prediction: Predict
    labels: LabelPlanner
    review: Reviewing
    review_saving: ReviewSaving
    job_folder: Callable[[Job], Path]
    queue_answers: Callable[[], bool]
    origins: ProjectOrigins
    workers: Workers
    watch_failures: WatchFailures = field(default_factory=WatchFailures)
    webhooks: WebhookLog = field(default_factory=WebhookLog)

    def is_same(self, project: ProjectId, created: int | None) -> bool:
        return self.origins.is_same(project, created)

    def version(self, project: ProjectId) -> VersionName:
        current = self.versions.current(project)
        return current.name if current else UNTRAINED

    def cards(self, project: ProjectId) -> Sequence[ModelVersion]:
        certified = self.auto_accept.certified(project)
        return [
            replace(card, certificate=certified.get(card.name))
            for card in self.versions.all(project)
        ]

    def status(self, project: ProjectId) -> ProjectStatus:
        found = self.label_studio.project(project)
        if self.jobs.live(project) is None:
            self.origins.claim(found)
        status = self.readiness.of(found)
        current = status.version.name if status.version else None
        same = relabeled_from(status.version, lambda: self.versions.all(project))
        notes = self.label_studio.warnings(found, current, same)
        status = replace(status, warnings=(*status.warnings, *notes))
        status = replace(status, workforce=self._known_workforce())
        obstacle = status.reasons[0].message if status.reasons else ""
        return replace(status, trigger=self.auto_train.decide(project, lambda: obstacle))

    def workforce(self) -> Workforce:
        return self.workers.look()

    def _known_workforce(self) -> Workforce | None:
        try:
            return self.workers.look()
        except QueueUnreachable:
            return None

    def start(self, request: JobRequest, *, count: bool = True) -> tuple[Job, bool]:
        running = self.jobs.live(request.project)
        if running:
            return running, False
        self.origins.claim(self.label_studio.project(request.project))
        self.readiness.require(request, count=count)
        return self.jobs.submit(request)

    def undo(self, job: JobId) -> Job:
        self.origins.require(self.label_studio.project(self.jobs.get(job).request.project))
        return UndoQueue(self.jobs, self.auto_accept)(job)

    def label_uses(
        self, project: ProjectId, progress: Callable[[int], None] = lambda _: None
    ) -> Sequence[LabelUse]:
        return self.labels.used(project, progress)

    def plan_labels(
        self,
        project: ProjectId,
        edit: LabelEdit,
        progress: Callable[[int], None] = lambda _: None,
    ) -> LabelEditPlan:
        return self.labels.plan(project, edit, progress)

    def adopt_backup(self, project: ProjectId, file: Path) -> LabelEdit:
        return LabelEdit(LabelChange.RESTORE, backup=self.labels.backups.adopt(project, file))

    def relabel(self, project: ProjectId, edit: LabelEdit) -> Job:
        running = self.jobs.live(project)
        if running is None:
            self.origins.claim(self.label_studio.project(project))
            self.labels.check(project, edit)
            running, _ = self.jobs.submit(JobRequest(project, Mode.RELABELING, edit=edit))
        if running.request.edit != edit:
            raise Refused([busy(running, "no labels can be changed meanwhile")])
        return running

    def accepted(self, job: Job) -> int:
        return self.auto_accept.accepted_by(job.request.project, job.id)

    def changed(self, project: ProjectId, annotations: int) -> None:
        self.webhooks.hear(project)
        self.changes.changed(project, annotations)

    def predict(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any] | list[Any]]:
        return self.prediction(project, label_config, tasks)

    def report_folder(self, job: Job) -> Path:
        return self.job_folder(job)

    def health(self) -> Mapping[str, Any]:
        """Public, so it counts what is wrong and names no project."""
        return {
            "redis": self.queue_answers(),
            "unwatched_projects": len(self.watch_failures.all()),
            "nameless_webhooks": self.webhooks.nameless,
        }
