"""The OpenAPI 3.1 document of the JSON API; pydantic derives all schemas from the types."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from backend.domain.jobs import JobRequest
from backend.domain.json import JsonObject
from backend.domain.label_edits import LabelEdit
from backend.jobs.requests import FIELDS
from backend.presentation.label_views import LabelPlanJson, LabelUsesJson
from backend.presentation.serializers import (
    ErrorJson,
    JobJson,
    JobsJson,
    StatusJson,
    VersionJson,
    VersionsJson,
)
from backend.web.responses import JobAnswer

REF = "#/components/schemas/{model}"
ANSWERS = (
    ErrorJson,
    JobAnswer,
    JobJson,
    JobsJson,
    LabelPlanJson,
    LabelUsesJson,
    StatusJson,
    VersionJson,
    VersionsJson,
)


class _Schemas(GenerateJsonSchema):
    """Like pydantic's, but lists as required whatever an answer always contains."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        always = self.mode == "serialization" and field["schema"].get("default") is None
        return always or super().field_is_required(field, total)


def _schemas() -> JsonObject:
    inputs: list[tuple[type, JsonSchemaMode, TypeAdapter[Any]]] = [
        (JobRequest, "validation", TypeAdapter(JobRequest)),
        (LabelEdit, "validation", TypeAdapter(LabelEdit)),
        *((answer, "serialization", TypeAdapter(answer)) for answer in ANSWERS),
    ]
    _, found = TypeAdapter.json_schemas(inputs, ref_template=REF, schema_generator=_Schemas)
    schemas: JsonObject = found["$defs"]
    fields = schemas["JobRequest"]["properties"]
    schemas["JobRequest"] |= {
        "description": "What the job should do; every field has a default.",
        "properties": {name: fields[name] for name in FIELDS},
        "required": [],
        "additionalProperties": False,
    }
    return schemas


def _answer(description: str, body: type) -> JsonObject:
    schema = {"$ref": REF.format(model=body.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _route(
    operation: str, summary: str, answers: dict[int, tuple[str, type]], *, body: type | None = None
) -> JsonObject:
    responses = {str(status): _answer(*about) for status, about in answers.items()}
    responses["default"] = _answer("What went wrong and what to do.", ErrorJson)
    route: JsonObject = {
        "operationId": operation,
        "summary": summary,
        "responses": {
            **responses,
            "default": _answer("What went wrong and what to do.", ErrorJson),
        },
    }
    if body:
        schema = {"$ref": REF.format(model=body.__name__)}
        route["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return route


def _parameters(**kinds: str) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
        for name, kind in kinds.items()
    ]


PATHS: JsonObject = {
    "/api/projects/{project}/jobs": {
        "parameters": _parameters(project="integer"),
        "post": _route(
            "startJob",
            "Start a job, or join the running one",
            {
                201: ("The new job.", JobAnswer),
                200: ("The job that is already running.", JobAnswer),
                409: ("The preconditions do not hold.", ErrorJson),
            },
            body=JobRequest,
        ),
        "get": _route("listJobs", "Jobs of the project", {200: ("Newest first.", JobsJson)}),
    },
    "/api/projects/{project}/status": {
        "parameters": _parameters(project="integer"),
        "get": _route(
            "projectStatus",
            "Whether a job may start, and if not, why",
            {200: ("The status.", StatusJson)},
        ),
    },
    "/api/projects/{project}/labels": {
        "parameters": _parameters(project="integer"),
        "get": _route(
            "listLabels",
            "Labels of the project, those that its config lacks too, and how often each is used",
            {200: ("One entry per label.", LabelUsesJson)},
        ),
        "post": _route(
            "changeLabels",
            "Rename, merge, delete or restore labels across the project",
            {
                202: ("The job that changes them.", JobAnswer),
                409: ("Another job is queued or running, or an audit is open.", ErrorJson),
            },
            body=LabelEdit,
        ),
    },
    "/api/projects/{project}/labels/plan": {
        "parameters": _parameters(project="integer"),
        "post": _route(
            "planLabels",
            "What an operation on labels would change",
            {200: ("The numbers; nothing was changed.", LabelPlanJson)},
            body=LabelEdit,
        ),
    },
    "/api/projects/{project}/versions": {
        "parameters": _parameters(project="integer"),
        "get": _route(
            "listVersions", "Model versions of the project", {200: ("Newest first.", VersionsJson)}
        ),
    },
    "/api/projects/{project}/versions/{version}/activate": {
        "parameters": _parameters(project="integer", version="string"),
        "post": _route(
            "activateVersion",
            "Make a version the current one",
            {200: ("Its model card.", VersionJson)},
        ),
    },
    "/api/jobs/{job}": {
        "parameters": _parameters(job="string"),
        "get": _route("getJob", "One job", {200: ("The job.", JobJson)}),
    },
    "/api/jobs/{job}/stop": {
        "parameters": _parameters(job="string"),
        "post": _route("stopJob", "Ask a job to stop", {202: ("The job.", JobAnswer)}),
    },
    "/api/jobs/{job}/undo": {
        "parameters": _parameters(job="string"),
        "post": _route(
            "undoJob",
            "Delete the annotations that a job created by accepting predictions",
            {
                202: ("The job that deletes them.", JobAnswer),
                409: ("A job of the project is queued or running.", ErrorJson),
            },
        ),
    },
}

DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {
        "title": "Autolabel for Label Studio",
        "version": "1",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "description": "Jobs, readiness and model versions of Label Studio projects.",
    },
    "security": [{}, {"basic": []}],
    "paths": PATHS,
    "components": {
        "schemas": _schemas(),
        "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
    },
}
