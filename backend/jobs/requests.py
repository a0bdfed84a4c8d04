"""A job request as JSON: what the job API, the command line and the queue exchange."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId, TaskId, VersionName
from backend.domain.jobs import Algorithm, JobRequest, Mode
from backend.policies.grouping import FEWEST, MOST

MOST_PICKS = 200
"""Images that one suggestion may list: more than anyone labels before the next one."""


class _Fields(BaseModel):
    """The fields of `POST /api/projects/<id>/jobs`; strict, so that "5" is not 5."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Annotated[Mode, Field(strict=False)] = Mode.ACTIVE_LEARNING
    algorithm: Annotated[Algorithm, Field(strict=False)] = Algorithm.FAST
    model_version: str | None = Field(None, max_length=64)
    accept: bool = False
    max_error: float = Field(0.05, gt=0, lt=1, strict=False)
    confidence: float = Field(0.95, ge=0.5, lt=1, strict=False)
    labels_are_random: bool = False
    task_ids: list[int] = Field(default_factory=list, max_length=100_000)
    groups: int = Field(20, ge=FEWEST, le=MOST)
    count: int = Field(20, ge=1, le=MOST_PICKS)

    @model_validator(mode="after")
    def _version_where_it_belongs(self) -> Self:
        if self.mode is Mode.PRE_LABELING and not self.model_version:
            raise ValueError("pre-labeling needs a model_version")
        return self


def job_request(project: ProjectId, body: Mapping[str, Any]) -> JobRequest:
    """Read a request.

    Raises:
        BadInput: naming the field that does not fit.
    """
    try:
        fields = _Fields.model_validate(dict(body))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the request"
        raise BadInput(f"{where}: {first['msg'].removeprefix('Value error, ')}") from exc
    try:
        return _request(project, fields)
    except ValueError as exc:
        hint = "Start an active-learning job, or do not state that the labels are random"
        raise BadInput(str(exc), hint) from exc


def _request(project: ProjectId, fields: _Fields) -> JobRequest:
    return JobRequest(
        project=project,
        mode=fields.mode,
        algorithm=fields.algorithm,
        model_version=VersionName(fields.model_version) if fields.model_version else None,
        accept=fields.accept,
        max_error=fields.max_error,
        confidence=fields.confidence,
        labels_are_random=fields.labels_are_random,
        task_ids=tuple(TaskId(task) for task in fields.task_ids),
        groups=fields.groups,
        count=fields.count,
    )


def request_json(request: JobRequest) -> dict[str, Any]:
    """The same request as JSON; `job_request` reads it back."""
    return {
        "mode": request.mode.value,
        "algorithm": request.algorithm.value,
        "model_version": request.model_version,
        "accept": request.accept,
        "max_error": request.max_error,
        "confidence": request.confidence,
        "labels_are_random": request.labels_are_random,
        "task_ids": list(request.task_ids),
        "groups": request.groups,
        "count": request.count,
    }
