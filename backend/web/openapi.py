"""The OpenAPI 3 document of our JSON API; words and choices come from the domain."""

from enum import StrEnum
from typing import Any

from backend.domain.errors import ReasonCode
from backend.domain.jobs import Algorithm, JobState, Mode
from backend.domain.json import JsonObject
from backend.domain.schema import TaskKind


def _object(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


def _map(values: JsonObject) -> JsonObject:
    return {"type": "object", "additionalProperties": values}


def _one_of(choices: type[StrEnum]) -> JsonObject:
    return {"type": "string", "enum": [choice.value for choice in choices]}


def _or_null(schema: JsonObject) -> JsonObject:
    if "$ref" in schema:
        return {"nullable": True, "allOf": [schema]}
    return {**schema, "nullable": True}


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT: JsonObject = {"type": "string"}
COUNT: JsonObject = {"type": "integer", "minimum": 0}
NUMBER: JsonObject = {"type": "number"}
SHARE: JsonObject = {"type": "number", "minimum": 0, "maximum": 1}
YES_NO: JsonObject = {"type": "boolean"}
TIME: JsonObject = _or_null({"type": "string", "format": "date-time"})

FIGURES = _map(_or_null(NUMBER))
METRICS: JsonObject = {
    "oneOf": [FIGURES, _map(FIGURES)],
    "description": "Figures by name; where a version has several controls, by control and name.",
}

SCHEMAS: JsonObject = {
    "JobRequest": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "mode": {**_one_of(Mode), "default": Mode.ACTIVE_LEARNING.value},
            "algorithm": {**_one_of(Algorithm), "default": Algorithm.FAST.value},
            "model_version": {
                **_or_null(TEXT),
                "description": "The version to use; pre-labeling must name one.",
            },
            "accept": {
                "type": "boolean",
                "default": False,
                "description": "Write annotations where the certificate allows it.",
            },
            "max_error": {
                **NUMBER,
                "default": 0.05,
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 1,
                "exclusiveMaximum": True,
            },
            "confidence": {
                **NUMBER,
                "default": 0.95,
                "minimum": 0.5,
                "maximum": 1,
                "exclusiveMaximum": True,
            },
            "labels_are_random": {
                "type": "boolean",
                "default": False,
                "description": "Whether the labeled images are a random sample of the project.",
            },
            "task_ids": {**_list(COUNT), "description": "Empty: all unlabeled tasks."},
            "groups": {
                "type": "integer",
                "default": 20,
                "minimum": 2,
                "maximum": 200,
                "description": "Groups that a grouping makes.",
            },
            "count": {
                "type": "integer",
                "default": 20,
                "minimum": 1,
                "maximum": 200,
                "description": "Images that are suggested.",
            },
        },
    },
    "Job": _object(
        id=TEXT,
        project=COUNT,
        mode=_one_of(Mode),
        algorithm=_one_of(Algorithm),
        state=_one_of(JobState),
        progress=SHARE,
        step=TEXT,
        reason={**TEXT, "description": "Why the job is where it is, in words."},
        summary={**TEXT, "description": "How far the job is, or how it ended, as a sentence."},
        created_at=TIME,
        started_at=TIME,
        ended_at=TIME,
        version=_or_null(TEXT),
        report=_or_null({"type": "object", "description": "The content of report.json."}),
    ),
    "Reason": _object(
        code=_one_of(ReasonCode),
        message=TEXT,
        label=_or_null(TEXT),
        have=_or_null(COUNT),
        need=_or_null(COUNT),
        hint={**TEXT, "description": "What to do."},
    ),
    "Status": _object(
        project=_object(id=COUNT, title=TEXT),
        ready=YES_NO,
        reasons=_list(_ref("Reason")),
        warnings=_list(TEXT),
        labels=_list(_object(control=TEXT, label=TEXT, images=COUNT)),
        labeled=COUNT,
        unlabeled=COUNT,
        version=_or_null(TEXT),
        job=_or_null(_ref("Job")),
        trigger=_or_null(TEXT),
        summary={**_list(TEXT), "description": "All of this in sentences, for people."},
    ),
    "Version": _object(
        name=TEXT,
        project=COUNT,
        current=YES_NO,
        kinds=_map(_one_of(TaskKind)),
        labels=_map(_list(TEXT)),
        metrics=METRICS,
        summary={**TEXT, "description": "How good it is, in words."},
        trained_on=_map(COUNT),
        parent=_or_null(TEXT),
        created=TIME,
        backbone=TEXT,
        device=TEXT,
        packages=_map(TEXT),
        promoted=YES_NO,
        reason=TEXT,
        certificate=_or_null(_ref("Certificate")),
    ),
    "Certificate": _object(
        threshold=SHARE,
        error_rate=SHARE,
        confidence=SHARE,
        accepted=COUNT,
        mistakes=COUNT,
        sample=COUNT,
        promise=TEXT,
        assumption=TEXT,
        label=_or_null(TEXT),
    ),
    "Error": _object(
        error={
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": TEXT,
                "message": {**TEXT, "description": "What happened and why."},
                "hint": {**TEXT, "description": "What to do."},
                "reasons": _list(_ref("Reason")),
                "summary": {**_list(TEXT), "description": "All of this in sentences, for people."},
            },
        }
    ),
}


def _answer(description: str, schema: JsonObject) -> JsonObject:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameter(name: str, schema: JsonObject) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _route(
    summary: str, answers: JsonObject, body: JsonObject | None = None, **more: Any
) -> JsonObject:
    failure = _answer("What went wrong, and the cure.", _ref("Error"))
    route: JsonObject = {"summary": summary, "responses": {**answers, "default": failure}, **more}
    if body:
        route["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return route


JOB = _object(job=_ref("Job"))
JOBS = _object(jobs=_list(_ref("Job")))
VERSIONS = _object(
    versions=_list(_ref("Version")),
    summary={**TEXT, "description": "Why there is none; empty where there are some."},
)
PROJECT = [_parameter("project", COUNT)]
JOB_ID = [_parameter("job", TEXT)]

PATHS: JsonObject = {
    "/api/projects/{project}/jobs": {
        "parameters": PROJECT,
        "post": _route(
            "Start a job, or join the one that runs",
            {
                "201": _answer("The new job.", JOB),
                "200": _answer("The job that runs already.", JOB),
                "409": _answer("The preconditions do not hold.", _ref("Error")),
            },
            body=_ref("JobRequest"),
            operationId="startJob",
        ),
        "get": _route(
            "The project's jobs, newest first",
            {"200": _answer("Jobs.", JOBS)},
            operationId="listJobs",
        ),
    },
    "/api/projects/{project}/status": {
        "parameters": PROJECT,
        "get": _route(
            "May a job start, and if not, why not",
            {"200": _answer("Where the project stands.", _ref("Status"))},
            operationId="projectStatus",
        ),
    },
    "/api/projects/{project}/versions": {
        "parameters": PROJECT,
        "get": _route(
            "The project's model versions, newest first",
            {"200": _answer("Model cards.", VERSIONS)},
            operationId="listVersions",
        ),
    },
    "/api/projects/{project}/versions/{version}/activate": {
        "parameters": [*PROJECT, _parameter("version", TEXT)],
        "post": _route(
            "Make a version the current one",
            {"200": _answer("Its model card.", _ref("Version"))},
            operationId="activateVersion",
        ),
    },
    "/api/jobs/{job}": {
        "parameters": JOB_ID,
        "get": _route("One job", {"200": _answer("The job.", _ref("Job"))}, operationId="getJob"),
    },
    "/api/jobs/{job}/stop": {
        "parameters": JOB_ID,
        "post": _route(
            "Ask a job to stop", {"202": _answer("The job.", JOB)}, operationId="stopJob"
        ),
    },
    "/api/jobs/{job}/undo": {
        "parameters": JOB_ID,
        "post": _route(
            "Take back the annotations that a job made of accepted predictions",
            {"200": _answer("How many there were.", _object(taken_back=COUNT))},
            operationId="undoJob",
        ),
    },
}

DOCUMENT: JsonObject = {
    "openapi": "3.0.3",
    "info": {
        "title": "Autolabel for Label Studio",
        "version": "1",
        "license": {"name": "Apache-2.0"},
        "description": "Jobs, readiness and model versions of Label Studio projects.",
    },
    "servers": [{"url": "/"}],
    "security": [{}, {"basic": []}],
    "paths": PATHS,
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
    },
}
