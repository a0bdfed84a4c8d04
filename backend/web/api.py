"""The JSON API, described by the OpenAPI document at `/api/openapi.json`."""

from flask import Blueprint, Response, request

from backend.domain.ids import JobId, ProjectId, VersionName
from backend.jobs.requests import job_request, label_edit
from backend.presentation.label_views import LabelPlanJson, LabelUsesJson
from backend.presentation.serializers import (
    JobJson,
    JobsJson,
    StatusJson,
    VersionJson,
    VersionsJson,
)
from backend.web.context import backend
from backend.web.openapi import DOCUMENT
from backend.web.request_body import json_object
from backend.web.responses import JobAnswer, answer

routes = Blueprint("api", __name__, url_prefix="/api")


@routes.route("/openapi.json")
def openapi() -> Response:
    return answer({**DOCUMENT, "servers": [{"url": request.script_root or "/"}]})


@routes.route("/projects/<project:project>/jobs", methods=["POST"])
def start_job(project: int) -> Response:
    """Answer 201 with the new job, or 200 with the one that is already running."""
    job, new = backend().start(job_request(ProjectId(project), json_object()))
    return answer(JobAnswer(JobJson.of(job)), 201 if new else 200)


@routes.route("/projects/<project:project>/jobs", methods=["GET"])
def project_jobs(project: int) -> Response:
    jobs = backend().jobs.history(ProjectId(project))
    if not jobs:
        _must_exist(project)
    return answer(JobsJson.of(jobs))


@routes.route("/projects/<project:project>/status")
def project_status(project: int) -> Response:
    return answer(StatusJson.of(backend().status(ProjectId(project))))


@routes.route("/projects/<project:project>/labels", methods=["GET"])
def project_labels(project: int) -> Response:
    return answer(LabelUsesJson.of(backend().label_uses(ProjectId(project))))


@routes.route("/projects/<project:project>/labels/plan", methods=["POST"])
def plan_labels(project: int) -> Response:
    """Answer what an operation on labels would change; change nothing."""
    plan = backend().plan_labels(ProjectId(project), label_edit(json_object()))
    return answer(LabelPlanJson.of(plan))


@routes.route("/projects/<project:project>/labels", methods=["POST"])
def change_labels(project: int) -> Response:
    """Answer 202 with the job that changes the labels."""
    job = backend().relabel(ProjectId(project), label_edit(json_object()))
    return answer(JobAnswer(JobJson.of(job)), 202)


@routes.route("/projects/<project:project>/versions")
def project_versions(project: int) -> Response:
    cards = backend().cards(ProjectId(project))
    if not cards:
        _must_exist(project)
    current = backend().version(ProjectId(project))
    return answer(VersionsJson.of(cards, current))


@routes.route("/projects/<project:project>/versions/<version>/activate", methods=["POST"])
def activate_version(project: int, version: str) -> Response:
    card = backend().versions.activate(ProjectId(project), VersionName(version))
    return answer(VersionJson.of(card, card.name))


@routes.route("/jobs/<job>")
def job(job: str) -> Response:
    return answer(JobJson.of(backend().jobs.get(JobId(job))))


@routes.route("/jobs/<job>/stop", methods=["POST"])
def stop_job(job: str) -> Response:
    return answer(JobAnswer(JobJson.of(backend().jobs.stop(JobId(job)))), 202)


@routes.route("/jobs/<job>/undo", methods=["POST"])
def undo_job(job: str) -> Response:
    """Answer 202 with the job that undoes the other one."""
    return answer(JobAnswer(JobJson.of(backend().undo(JobId(job)))), 202)


def _must_exist(project: int) -> None:
    """Tell an empty list from an unknown project. Raises NotFound."""
    backend().label_studio.project(ProjectId(project))
