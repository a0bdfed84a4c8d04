"""A Backend that remembers what it was asked and answers what the test laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.domain.errors import NotFound, QueueUnreachable, Reason, ReasonCode, Refused
from backend.domain.ids import UNTRAINED, ControlName, JobId, Label, ProjectId, VersionName
from backend.domain.jobs import Decision, Job, JobRequest, JobState
from backend.domain.projects import LabelCount, Project, ProjectStatus
from backend.domain.schema import TaskKind
from backend.domain.versions import ModelVersion

COUNTED = {ReasonCode.TOO_FEW_LABELS, ReasonCode.TOO_FEW_IMAGES}
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CHOICES = '<View><Image name="img" value="$image"/><Choices name="c" toName="img">' + (
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)


def a_project(number: int = 2, title: str = "Pets") -> Project:
    return Project(ProjectId(number), title, CHOICES, "")


def a_version(name: str = "al-0001-3f9c", project: int = 2, **changes: Any) -> ModelVersion:
    card = ModelVersion(
        name=VersionName(name),
        project=ProjectId(project),
        kinds={ControlName("c"): TaskKind.SINGLE},
        labels={ControlName("c"): (Label("cat"), Label("dog"))},
        metrics={ControlName("c"): {"accuracy": 0.93, "ece": 0.04}},
        trained_on={"cat": 20, "dog": 18},
        parent=None,
        created=NOW,
        backbone="efficientnet_lite0",
        device="cpu",
        packages={"torch": "2.4"},
        reason="the first version",
    )
    return replace(card, **changes)


def a_job(
    name: str = "job-1", state: JobState = JobState.RUNNING, project: int = 2, **changes: Any
) -> Job:
    job = Job(JobId(name), JobRequest(ProjectId(project)), state, created_at=NOW)
    return replace(job, **changes)


@dataclass
class FakeJobs:
    jobs: dict[JobId, Job] = field(default_factory=dict)
    redis_is_up: bool = True
    reports_read: int = 0

    def _ask(self) -> None:
        if not self.redis_is_up:
            raise QueueUnreachable("Redis does not answer", "Start it")

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        self._ask()
        live = self.live(request.project)
        if live:
            return live, False
        name = JobId(f"job-{len(self.jobs) + 1}")
        self.jobs[name] = Job(name, request, JobState.QUEUED, created_at=NOW)
        return self.jobs[name], True

    def get(self, job: JobId) -> Job:
        self._ask()
        if job not in self.jobs:
            raise NotFound(f"there is no job {job}")
        return self.jobs[job]

    def live(self, project: ProjectId) -> Job | None:
        jobs = self.history(project, reports=False)
        return next((job for job in jobs if job.state.is_live), None)

    def history(
        self, project: ProjectId | None = None, limit: int = 50, *, reports: bool = True
    ) -> Sequence[Job]:
        self._ask()
        jobs = [job for job in self.jobs.values() if project in {None, job.request.project}]
        shown = jobs[::-1][:limit]
        self.reports_read += sum(reports and job.report is not None for job in shown)
        return shown if reports else [replace(job, report=None) for job in shown]

    def stop(self, job: JobId) -> Job:
        self.jobs[job] = replace(self.get(job), state=JobState.STOPPING)
        return self.jobs[job]


@dataclass
class FakeVersions:
    cards: list[ModelVersion] = field(default_factory=list)
    active: dict[ProjectId, VersionName] = field(default_factory=dict)

    def all(self, project: ProjectId) -> Sequence[ModelVersion]:
        return [card for card in self.cards if card.project == project]

    def get(self, project: ProjectId, version: VersionName) -> ModelVersion:
        for card in self.all(project):
            if card.name == version:
                return card
        raise NotFound(f"project {project} has no version {version}")

    def current(self, project: ProjectId) -> ModelVersion | None:
        return self.get(project, self.active[project]) if project in self.active else None

    def activate(self, project: ProjectId, version: VersionName) -> ModelVersion:
        card = self.get(project, version)
        self.active[project] = version
        return card


@dataclass
class FakeLabelStudio:
    known: dict[ProjectId, Project] = field(default_factory=dict)

    def project(self, project: ProjectId) -> Project:
        if project not in self.known:
            raise NotFound(f"Label Studio has no project {project}", "Check the number")
        return self.known[project]

    def projects(self) -> Sequence[Project]:
        return list(self.known.values())


@dataclass
class FakeBackend:
    """`reasons` refuse every start; `failure` is raised by the next calls that may fail."""

    jobs: FakeJobs = field(default_factory=FakeJobs)
    versions: FakeVersions = field(default_factory=FakeVersions)
    label_studio: FakeLabelStudio = field(default_factory=FakeLabelStudio)
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

    def _may_fail(self) -> None:
        if self.failure:
            raise self.failure

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
        )

    def start(self, request: JobRequest, *, count: bool = True) -> tuple[Job, bool]:
        self._may_fail()
        self.label_studio.project(request.project)
        self.started.append(request)
        reasons = [one for one in self.reasons if count or one.code not in COUNTED]
        if reasons and not self.jobs.live(request.project):
            raise Refused(reasons)
        return self.jobs.submit(request)

    def undo(self, job: JobId) -> int:
        if not self.accepted(self.jobs.get(job)):
            raise NotFound(f"job {job} accepted nothing that could be taken back")
        return self.acceptances.pop(job)

    def accepted(self, job: Job) -> int:
        return self.acceptances.get(job.id, 0)

    def changed(self, project: ProjectId, annotations: int) -> None:
        self.changes.append((project, annotations))

    def predict(
        self, project: ProjectId, label_config: str, tasks: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any] | list[Any]]:
        self._may_fail()
        version = self.version(project)
        return [
            {"model_version": version, "score": 0.5, "result": []} if task["data"] else []
            for task in tasks
        ]

    def report_folder(self, job: Job) -> Path:
        return self.reports / job.id

    def health(self) -> Mapping[str, Any]:
        return {"redis": self.jobs.redis_is_up}
