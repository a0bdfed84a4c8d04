"""Parse job requests from JSON and forms, and enforce the limits of their fields."""

import json
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from backend.domain.errors import BadInput
from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest
from backend.domain.json import Json, JsonObject
from backend.domain.label_edits import LabelEdit

FIELDS = tuple(
    field.name
    for field in fields(JobRequest)
    if field.name not in {"project", "undoes", "edit", "by_itself"}
)
"""What the body of `POST /api/projects/<id>/jobs` may contain.

The address names the project. Undo and label operations have routes of their own; what the backend
starts by itself has none.
"""

EDIT_FIELDS = tuple(field.name for field in fields(LabelEdit))

_REQUEST = TypeAdapter(JobRequest)
_EDIT = TypeAdapter(LabelEdit)
Parsed = TypeVar("Parsed")


def job_request(project: ProjectId, body: Json) -> JobRequest:
    """Parse a request; strict, so that `"5"` is not accepted as 5.

    Raises:
        BadInput: naming the field that is unknown, of the wrong type or out of range.
    """
    for name in body:
        if name not in FIELDS:
            raise BadInput(f"{name}: no such field", f"Known fields: {', '.join(FIELDS)}")
    return _valid(json.dumps({**body, "project": project}))


def label_edit(body: Json) -> LabelEdit:
    """Parse an operation on labels.

    Raises:
        BadInput: naming the field that is unknown, of the wrong type or contradicts another.
    """
    for name in body:
        if name not in EDIT_FIELDS:
            raise BadInput(f"{name}: no such field", f"Known fields: {', '.join(EDIT_FIELDS)}")
    return _parsed(_EDIT, json.dumps(dict(body)))


def check(request: JobRequest) -> None:
    """Enforce the limits of single fields, which `JobRequest` itself does not.

    Raises:
        BadInput: naming the field that is out of range.
    """
    _valid(_REQUEST.dump_json(request))


def _valid(request: str | bytes) -> JobRequest:
    return _parsed(_REQUEST, request)


def _parsed(adapter: TypeAdapter[Parsed], text: str | bytes) -> Parsed:
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the request"
        raise BadInput(f"{where}: {first['msg']}") from exc


def limits() -> dict[str, JsonObject]:
    """Return the JSON schema of every field, with its default and its limits."""
    schema: dict[str, Any] = _REQUEST.json_schema()["properties"]
    return {name: schema[name] for name in FIELDS}
