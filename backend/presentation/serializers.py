"""JSON values of the public interface, shared by the API, the page and `--json`.

Pydantic encodes these classes and derives the OpenAPI schemas from them. They are plain
dataclasses: values come from the domain and are not validated again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field
from pydantic_core import PydanticSerializationError, to_json

from backend.domain.audits import AuditCertificate
from backend.domain.errors import Reason
from backend.domain.ids import ControlName, JobId, Label, ProjectId, VersionName
from backend.domain.jobs import Algorithm, Job, JobState, Mode
from backend.domain.metrics import metrics_to_json
from backend.domain.projects import LabelCount, LeftOut, ProjectStatus
from backend.domain.schema import TaskKind
from backend.domain.versions import ModelVersion
from backend.presentation import metrics, sentences
from backend.presentation.workforce import WorkforceJson

Count = Annotated[int, Field(ge=0)]
Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class JobJson:
    """A job; times are UTC."""

    id: JobId
    project: ProjectId
    mode: Mode
    algorithm: Algorithm
    state: JobState
    progress: Annotated[float, Field(ge=0, le=1)]
    step: str
    reason: Annotated[str, Field(description="Why the job is in this state.")]
    summary: Annotated[str, Field(description="Progress or outcome as a sentence.")]
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    version: VersionName | None
    report: Annotated[Mapping[str, Any] | None, Field(description="The content of report.json.")]

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            project=job.request.project,
            mode=job.request.mode,
            algorithm=job.request.algorithm,
            state=job.state,
            progress=job.progress,
            step=f"{job.step}: {job.detail}" if job.detail else job.step,
            reason=job.reason,
            summary=sentences.doing(job),
            created_at=job.created_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            version=job.version,
            report=job.report,
        )


@dataclass(frozen=True, slots=True)
class ProjectJson:
    """A Label Studio project."""

    id: ProjectId
    title: str


@dataclass(frozen=True, slots=True)
class StatusJson:
    """Whether a job may start in a project, and if not, why."""

    project: ProjectJson
    ready: bool
    reasons: Sequence[Reason]
    warnings: Sequence[str]
    labels: Annotated[Sequence[LabelCount], Field(description="One entry per control and label.")]
    left_out: Annotated[
        Sequence[LeftOut], Field(description="Labeled tasks that teach a control nothing.")
    ]
    labeled: Count
    unlabeled: Count
    skipped: Annotated[Count, Field(description="Skipped tasks that nobody labeled.")]
    missing: Annotated[
        Count, Field(description="Fewest tasks to label before a training may start.")
    ]
    version: Annotated[VersionName | None, Field(description="The current model version.")]
    items: Annotated[str, Field(description="What the tasks show: images or texts.")]
    job: JobJson | None
    trigger: Annotated[str | None, Field(description="When the next automatic training is due.")]
    workforce: Annotated[
        WorkforceJson | None, Field(description="Null while Redis does not answer.")
    ]
    summary: Annotated[Sequence[str], Field(description="The whole status as sentences.")]

    @classmethod
    def of(cls, status: ProjectStatus) -> Self:
        return cls(
            project=ProjectJson(id=status.project.id, title=status.project.title),
            ready=status.ready,
            reasons=status.reasons,
            warnings=status.warnings,
            labels=status.labels,
            left_out=status.left_out,
            labeled=status.labeled,
            unlabeled=status.unlabeled,
            skipped=status.skipped,
            missing=status.missing,
            version=status.version.name if status.version else None,
            items=status.items.plural,
            job=JobJson.of(status.job) if status.job else None,
            trigger=status.trigger.reason if status.trigger else None,
            workforce=WorkforceJson.of(status.workforce) if status.workforce else None,
            summary=sentences.sentences(status),
        )


@dataclass(frozen=True, slots=True)
class StatusAndJobs(StatusJson):
    """The status of a project with its last jobs, newest first; printed by `autolabel status`."""

    jobs: Sequence[JobJson]

    @classmethod
    def join(cls, status: StatusJson, jobs: Sequence[Job]) -> Self:
        found = {field.name: getattr(status, field.name) for field in fields(status)}
        return cls(**found, jobs=[JobJson.of(job) for job in jobs])


@dataclass(frozen=True, slots=True)
class VersionJson:
    """A model card; `current` marks the version in use."""

    name: VersionName
    project: ProjectId
    current: bool
    kinds: Mapping[ControlName, TaskKind]
    labels: Mapping[ControlName, Sequence[Label]]
    metrics: Annotated[
        Figures | Mapping[ControlName, Figures],
        Field(description="By name; where a version has several controls, by control and name."),
    ]
    summary: Annotated[str, Field(description="The main metrics in words.")]
    trained_on: Mapping[str, Count]
    parent: VersionName | None
    created: datetime
    backbone: str
    device: str
    packages: Mapping[str, str]
    promoted: bool
    reason: str
    certificate: AuditCertificate | None
    items: Annotated[str, Field(description="What it was trained on: images or texts.")]

    @classmethod
    def of(cls, version: ModelVersion, current: str) -> Self:
        return cls(
            name=version.name,
            project=version.project,
            current=version.name == current,
            kinds=version.kinds,
            labels=version.labels,
            metrics=metrics_to_json(version.metrics),
            summary=metrics.summary(version.metrics),
            trained_on=version.trained_on,
            parent=version.parent,
            created=version.created,
            backbone=version.backbone,
            device=version.device,
            packages=version.packages,
            promoted=version.promoted,
            reason=version.reason,
            certificate=version.certificate,
            items=version.items.plural,
        )


@dataclass(frozen=True, slots=True)
class JobsJson:
    """Jobs, newest first."""

    jobs: Sequence[JobJson]

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Self:
        return cls([JobJson.of(job) for job in jobs])


@dataclass(frozen=True, slots=True)
class VersionsJson:
    """The model cards of a project, newest first."""

    versions: Sequence[VersionJson]
    summary: Annotated[str, Field(description="Why there is no version; empty if there is one.")]

    @classmethod
    def of(cls, cards: Sequence[ModelVersion], current: str) -> Self:
        found = [VersionJson.of(card, current) for card in cards]
        return cls(versions=found, summary="" if cards else sentences.NO_VERSION)


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What went wrong; `hint` and `reasons` are left out where there are none."""

    code: str
    message: Annotated[str, Field(description="What happened and why.")]
    summary: Annotated[Sequence[str], Field(description="All of this as sentences.")]
    hint: Annotated[str, Field(description="What to do.")] = ""
    reasons: Sequence[Reason] = ()


@dataclass(frozen=True, slots=True)
class ErrorJson:
    """The body of every error response."""

    error: ErrorDetails


def json_text(body: object, indent: int | None = None) -> bytes:
    """Encode as JSON, with null for NaN and infinity, which JSON cannot express."""
    try:
        return to_json(body, indent=indent, inf_nan_mode="null")
    except PydanticSerializationError:  # an unpaired surrogate quoted from a request
        return json.dumps(body, indent=indent).encode()
