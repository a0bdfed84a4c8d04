"""A Backend that records calls and returns what the test laid out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.domain.errors import NotFound, Reason, ReasonCode, Refused
from backend.domain.ids import UNTRAINED, JobId, ProjectId, VersionName
from backend.domain.jobs import Decision, Job, JobRequest, Mode
from backend.domain.label_edits import LabelChange, LabelEdit, LabelEditPlan, LabelUse
from backend.domain.projects import LabelCount, ProjectStatus
from backend.domain.versions import ModelVersion
from backend.domain.workers import Workforce
from backend.ports.reviews import ReviewPage
from backend.services.webhook_log import WebhookLog
from tests.fakes.jobs import FakeJobs
from tests.fakes.label_studio import FakeProjects
from tests.fakes.reviews import no_review
from tests.fakes.versions import FakeVersions

COUNTED = {ReasonCode.TOO_FEW_LABELS, ReasonCode.TOO_FEW_IMAGES}


@dataclass
class FakeBackend:
    """`reasons` refuse every start; `failure` is raised by the next calls that may fail.

    The data is not that of a project created at `other_creation`.
    """

    jobs: FakeJobs = field(default_factory=FakeJobs)
    versions: FakeVersions = field(default_factory=FakeVersions)
    label_studio: FakeProjects = field(default_factory=FakeProjects)
    reasons: tuple[Reason, ...] = ()
    counts: tuple[LabelCount, ...] = ()
    warnings: tuple[str, ...] = ()
    unlabeled: int = 100
    trigger: Decision | None = None
    failure: Exception | None = None
    started: list[JobRequest] = field(default_factory=list)
    changes: list[tuple[ProjectId, int]] = field(default_factory=list)
    reports: Path = Path("/nonexistent")
    acceptances: dict[JobId, int] = field(default_factory=dict)
    unwatched: int = 0
    webhooks: WebhookLog = field(default_factory=WebhookLog)
    other_creation: int = -1
    review: ReviewPage = field(default_factory=no_review)
    staff: Workforce = field(default_factory=Workforce)

    def _may_fail(self) -> None:
        if self.failure:
            raise self.failure

    def is_same(self, project: ProjectId, created: int | None) -> bool:
        return created != self.other_creation

    def version(self, project: ProjectId) -> VersionName:
        return self.versions.active.get(project, UNTRAINED)

    def cards(self, project: ProjectId) -> Sequence[ModelVersion]:
        return self.versions.all(project)

    def status(self, project: ProjectId) -> ProjectStatus:
        self._may_fail()
        return ProjectStatus(
            project=self.label_studio.project(project),
            reasons=self.reasons,
            warnings=self.warnings,
            labels=self.counts,
            labeled=sum(count.images for count in self.counts),
            unlabeled=self.unlabeled,
            version=self.versions.current(project),
            job=self.jobs.live(project),
            trigger=self.trigger,
            workforce=self.staff,
        )

    def start(self, request: JobRequest, *, count: bool = True) -> tuple[Job, bool]:
        self._may_fail()
        self.label_studio.project(request.project)
        self.started.append(request)
        reasons = [one for one in self.reasons if count or one.code not in COUNTED]
        if reasons and not self.jobs.live(request.project):
            raise Refused(reasons)
        return self.jobs.submit(request)

    def undo(self, job: JobId) -> Job:
        found = self.jobs.get(job)
        live = found if found.state.is_live else self.jobs.live(found.request.project)
        if live is None:
            if not self.accepted(found):
                raise NotFound(f"job {job} accepted nothing that could be undone")
            live, _ = self.jobs.submit(JobRequest(found.request.project, Mode.UNDO, undoes=job))
        if live.request.undoes != job:
            raise Refused(
                [Reason(ReasonCode.JOB_IS_RUNNING, f"job {live.id} is {live.state.value}")]
            )
        return live

    def label_uses(
        self, project: ProjectId, progress: Callable[[int], None] = lambda _: None
    ) -> Sequence[LabelUse]:
        self._may_fail()
        self.label_studio.project(project)
        return [LabelUse(one.label, (one.control,), one.images) for one in self.counts]

    def plan_labels(
        self,
        project: ProjectId,
        edit: LabelEdit,
        progress: Callable[[int], None] = lambda _: None,
    ) -> LabelEditPlan:
        self._may_fail()
        self.label_studio.project(project)
        used = [one.images for one in self.counts if one.label in edit.mapping]
        return LabelEditPlan(edit, sum(used))

    def adopt_backup(self, project: ProjectId, file: Path) -> LabelEdit:
        if not file.is_file():
            raise NotFound(f"there is no backup {file}")
        return LabelEdit(LabelChange.RESTORE, backup=file.stem)

    def relabel(self, project: ProjectId, edit: LabelEdit) -> Job:
        self._may_fail()
        self.label_studio.project(project)
        job, _ = self.jobs.submit(JobRequest(project, Mode.RELABELING, edit=edit))
        if job.request.edit != edit:
            raise Refused([Reason(ReasonCode.JOB_IS_RUNNING, f"job {job.id} is running")])
        return job

    def accepted(self, job: Job) -> int:
        return self.acceptances.get(job.id, 0)

    def changed(self, project: ProjectId, annotations: int) -> None:
        self.changes.append((project, annotations))

    def predict(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any] | list[Any]]:
        self._may_fail()
        version = self.versions.current(project)
        return [
            {"model_version": version.name, "score": 0.5, "result": []}
            if version and task["data"]
            else []
            for task in tasks
        ]

    def report_folder(self, job: Job) -> Path:
        return self.reports / job.id

    def workforce(self) -> Workforce:
        self._may_fail()
        return self.staff

    def health(self) -> Mapping[str, Any]:
        return {
            "redis": self.jobs.redis_is_up,
            "unwatched_projects": self.unwatched,
            "nameless_webhooks": self.webhooks.nameless,
        }
