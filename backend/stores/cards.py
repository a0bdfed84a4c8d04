"""Versions and jobs as files: the content of `card.json` and `job.json`, and where models lie."""

from dataclasses import replace

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from backend.domain.errors import BadInput
from backend.domain.jobs import Job
from backend.domain.versions import ModelVersion

_VERSION = TypeAdapter(ModelVersion)
_JOB = TypeAdapter(Job)


def version_card(version: ModelVersion) -> str:
    return _json(version)


def version_from(card: str | bytes) -> ModelVersion:
    """Raises BadInput, naming the field that does not fit."""
    try:
        return _VERSION.validate_json(card)
    except ValidationError as exc:
        raise BadInput(f"not a version card: {_first_problem(exc)}") from exc


def job_card(job: Job) -> str:
    """Everything but the report, which has a file of its own."""
    return _json(replace(job, report=None))


def job_from(card: str | bytes) -> Job:
    """Raises BadInput, naming the field that does not fit."""
    try:
        return _JOB.validate_json(card)
    except ValidationError as exc:
        raise BadInput(f"not a job card: {_first_problem(exc)}") from exc


def _json(value: ModelVersion | Job) -> str:
    """A metric that could not be measured is NaN, and comes back as NaN."""
    return to_json(value, indent=2, inf_nan_mode="constants").decode()


def _first_problem(exc: ValidationError) -> str:
    first = exc.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
