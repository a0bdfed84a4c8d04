"""What people can do on the page: start, stop, activate. Each ends in a page, never in JSON."""

from typing import Any, Final

from flask import Blueprint, Response, make_response, redirect, request

from backend.domain.errors import AutolabelError, BadInput
from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Mode
from backend.jobs.requests import job_request
from backend.web.console import csrf
from backend.web.console.pages import project_page
from backend.web.context import backend
from backend.web.errors import of_ours

routes = Blueprint("actions", __name__)

_NUMBERS: Final = {Mode.GROUPING.value: "groups", Mode.SUGGESTING.value: "count"}
"""What is asked for of the jobs that only look at images."""


@routes.before_request
def check_form() -> None:
    if request.method == "POST":
        csrf.check()


@routes.route("/projects/<int:project>/start")
@routes.route("/projects/<int:project>/versions/<version>/activate")
def back_to_project(project: int, **_: str) -> Response:
    """Where a refused form leaves the browser; who reloads or comes back sees the page itself."""
    return _see(f"/projects/{project}")


@routes.route("/jobs/<job>/stop")
@routes.route("/jobs/<job>/undo")
def back_to_job(job: str) -> Response:
    return _see(f"/jobs/{job}")


@routes.route("/projects/<int:project>/start", methods=["POST"])
def start(project: int) -> Response:
    """Start a job and show it; a refusal shows the form again, as it was, with the reasons."""
    try:
        backend().start(job_request(ProjectId(project), _wish()))
    except AutolabelError as exc:
        failure = of_ours(exc)
        page = project_page(ProjectId(project), failure, request.form.to_dict())
        return make_response(page, failure.status)
    return _see(f"/projects/{project}#job")


@routes.route("/jobs/<job>/stop", methods=["POST"])
def stop(job: str) -> Response:
    stopping = backend().jobs.stop(JobId(job))
    return _see(f"/projects/{stopping.request.project}#job")


@routes.route("/jobs/<job>/undo", methods=["POST"])
def undo(job: str) -> Response:
    backend().undo(JobId(job))
    return _see(f"/jobs/{job}#numbers-head")


@routes.route("/projects/<int:project>/versions/<version>/activate", methods=["POST"])
def activate(project: int, version: str) -> Response:
    backend().versions.activate(ProjectId(project), VersionName(version))
    return _see(f"/projects/{project}#versions")


def _wish() -> dict[str, Any]:
    """The form in the words of the job API; shares are in percent on the page."""
    form = request.form
    mode = form.get("mode", "")
    if mode in _NUMBERS:
        return {"mode": mode, _NUMBERS[mode]: _number(_NUMBERS[mode])}
    wish: dict[str, Any] = {
        "mode": mode,
        "algorithm": form.get("algorithm", ""),
        "accept": "accept" in form,
        "max_error": _share("max_error"),
        "confidence": _share("confidence"),
    }
    if mode == Mode.PRE_LABELING.value:
        return {**wish, "model_version": form.get("model_version") or None}
    return {**wish, "labels_are_random": "labels_are_random" in form}


def _number(name: str) -> int:
    """Raises BadInput for what is no whole number."""
    text = request.form.get(name, "")
    try:
        return int(text)
    except ValueError as exc:
        raise BadInput(f"{name}: {text[:20]!r} is not a whole number") from exc


def _share(name: str) -> float:
    """Raises BadInput for what is no number."""
    text = request.form.get(name, "")
    try:
        return float(text.replace(",", ".")) / 100
    except ValueError as exc:
        raise BadInput(f"{name}: {text[:20]!r} is not a number of percent") from exc


def _see(address: str) -> Response:
    return make_response(redirect(address, 303))
