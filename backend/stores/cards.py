"""Versions and jobs as files: the content of `card.json` and `job.json`, and where models lie."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, cast

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import to_json

from backend.domain.errors import BadInput
from backend.domain.jobs import Job
from backend.domain.json import Json
from backend.domain.metrics import metrics_from_json, metrics_to_json
from backend.domain.versions import ModelVersion


def _nest_metrics(card: object) -> object:
    """Give the metrics of a card their control; leave all else to the validation."""
    fields: Json = cast(Json, card) if isinstance(card, Mapping) else {}
    metrics, kinds = fields.get("metrics"), fields.get("kinds")
    if not isinstance(metrics, Mapping) or not isinstance(kinds, Mapping):
        return cast(object, card)
    nested = metrics_from_json(cast(Json, metrics), cast(Json, kinds))
    return {**fields, "metrics": nested}


_VERSION = TypeAdapter[ModelVersion](Annotated[ModelVersion, BeforeValidator(_nest_metrics)])
_JOB = TypeAdapter(Job)


def version_card(version: ModelVersion) -> str:
    fields = _VERSION.dump_python(version)
    return _json({**fields, "metrics": metrics_to_json(version.metrics)})


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


def _json(value: Job | Json) -> str:
    """Serialize; a metric that could not be measured is NaN, and is read back as NaN."""
    return to_json(value, indent=2, inf_nan_mode="constants").decode()


def _first_problem(exc: ValidationError) -> str:
    first = exc.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
