"""Form submissions: start, stop, undo, activate. Each answers with a page or a redirect."""

from typing import Any, Final

from flask import Blueprint, Response, make_response, redirect, request, url_for

from backend.domain.audits import Promise
from backend.domain.errors import AutolabelError, BadInput
from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Mode
from backend.domain.json import JsonObject
from backend.jobs.requests import job_request
from backend.web.console import csrf
from backend.web.console.pages import project_page
from backend.web.context import backend
from backend.web.errors import of_autolabel

routes = Blueprint("actions", __name__)

_NUMBERS: Final = {Mode.GROUPING.value: "groups", Mode.SUGGESTING.value: "count"}
"""The only field of the jobs that need no model."""


@routes.before_request
def check_form() -> None:
    if request.method == "POST":
        csrf.check()


@routes.route("/projects/<project:project>/start")
@routes.route("/projects/<project:project>/versions/<version>/activate")
def back_to_project(project: int, **_: str) -> Response:
    """Redirect a reload after a refused form to the project's page."""
    return _see("console.project", project=project)


@routes.route("/jobs/<job>/stop")
@routes.route("/jobs/<job>/undo")
def back_to_job(job: str) -> Response:
    """Redirect a reload after a refused form to the job's page."""
    return _see("console.job", job=job)


@routes.route("/projects/<project:project>/start", methods=["POST"])
def start(project: int) -> Response:
    """Start a job and show it; if refused, show the filled-in form again with the reasons."""
    try:
        backend().start(job_request(ProjectId(project), _fields()))
    except AutolabelError as exc:
        failure = of_autolabel(exc)
        page = project_page(ProjectId(project), failure, request.form.to_dict())
        return make_response(page, failure.status)
    return _see("console.project", project=project, _anchor="job")


@routes.route("/jobs/<job>/stop", methods=["POST"])
def stop(job: str) -> Response:
    stopping = backend().jobs.stop(JobId(job))
    return _see("console.project", project=stopping.request.project, _anchor="job")


@routes.route("/jobs/<job>/undo", methods=["POST"])
def undo(job: str) -> Response:
    undoing = backend().undo(JobId(job))
    return _see("console.project", project=undoing.request.project, _anchor="job")


@routes.route("/projects/<project:project>/versions/<version>/activate", methods=["POST"])
def activate(project: int, version: str) -> Response:
    backend().versions.activate(ProjectId(project), VersionName(version))
    return _see("console.project", project=project, _anchor="versions")


def _fields() -> JsonObject:
    """Return fields of the job request; the page shows shares in percent."""
    form = request.form
    mode = form.get("mode", "")
    if mode in _NUMBERS:
        return {"mode": mode, _NUMBERS[mode]: _number(_NUMBERS[mode])}
    fields: JsonObject = {
        "mode": mode,
        "algorithm": form.get("algorithm", ""),
        "accept": "accept" in form,
        "partial": "partial" in form,
        "skipped": "skipped" in form,
        "promise": form.get("promise", Promise.DATASET.value),
        "max_error": _share("max_error"),
        "confidence": _share("confidence"),
    }
    if mode == Mode.PRE_LABELING.value:
        published = form.get("published_model", "").strip()
        return {**fields, "model_version": published or form.get("model_version") or None}
    return {**fields, "labels_are_random": "labels_are_random" in form}


def _number(name: str) -> int:
    """Parse a whole number. Raises BadInput."""
    text = request.form.get(name, "")
    try:
        return int(text)
    except ValueError as exc:
        raise BadInput(f"{name}: {text[:20]!r} is not a whole number") from exc


def _share(name: str) -> float:
    """Parse a percentage as a share. Raises BadInput."""
    text = request.form.get(name, "")
    try:
        return float(text.replace(",", ".")) / 100
    except ValueError as exc:
        raise BadInput(f"{name}: {text[:20]!r} is not a percentage") from exc


def _see(page: str, **values: Any) -> Response:
    return make_response(redirect(url_for(page, **values), 303))
