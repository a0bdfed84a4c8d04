"""The routes that Label Studio calls.

Label Studio waits 1 s for `/health` and for an event, 3 s for `/setup`, 100 s for `/predict` and
"Start training". It reads `model_version`, `results` and `job` from our answers and, of a refusal,
only the HTTP reason phrase.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from flask import Blueprint, Response, g, request

from backend.domain.errors import BadInput, NotFound, QueueUnreachable
from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import JobRequest, JobState
from backend.label_studio import labeling_config, webhooks
from backend.web.context import backend
from backend.web.request_body import field, json_object
from backend.web.responses import answer

log = logging.getLogger(__name__)

routes = Blueprint("contract", __name__)

COUNTABLE = 1000
"""Labeled tasks that are counted while somebody waits: about three seconds of Label Studio's."""

STATUS_NAMES = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "started",
    JobState.STOPPING: "started",
    JobState.FINISHED: "finished",
    JobState.FAILED: "failed",
    JobState.STOPPED: "failed",
}
"""What `/job_status` calls our states."""


@routes.route("/health")
def health() -> Response:
    return answer({**backend().health(), "status": "UP", "model_class": "Autolabel"})


@routes.route("/setup", methods=["POST"])
def setup() -> Response:
    """Say which version answers for the project; refuse a config that we cannot learn."""
    body = json_object()
    project = webhooks.project_of(field(body, "project", str))
    labeling_config.parse(field(body, "schema", str))
    return answer({"model_version": backend().version(project)})


@routes.route("/predict", methods=["POST"])
def predict() -> Response:
    """One element a task, in order, whatever fails once the request is understood."""
    body = json_object()
    project = webhooks.project_of(field(body, "project", str))
    config, tasks = field(body, "label_config", str), _tasks(body)
    g.answer_in_any_case = {"results": [[] for _ in tasks]}
    results = backend().predict(project, config, tasks)
    g.predictions = sum(1 for result in results if result)
    return answer({"results": results})


@routes.route("/webhook", methods=["POST"])
def webhook() -> Response:
    match webhooks.event(json_object()):
        case webhooks.TrainNow(project, labeled):
            return _train(project, count=labeled <= COUNTABLE)
        case webhooks.Changed(project, annotations):
            backend().changed(project, annotations)
            return answer({"status": "noted"})
        case webhooks.Ignored(reason):
            return answer({"status": "ignored", "reason": reason})


@routes.route("/train", methods=["POST"])
def train() -> Response:
    """Start training for a Label Studio whose webhooks are switched off; tasks are ignored."""
    return _train(webhooks.project_of(field(json_object(), "project", str)))


@routes.route("/versions", methods=["GET", "POST"])
def versions() -> Response:
    """Version names, newest first. Label Studio's GET names no project: then of recent jobs'."""
    name = json_object().get("project") or request.args.get("project")
    projects = [webhooks.project_of(str(name))] if name else _recent_projects()
    cards = [card for project in projects for card in backend().versions.all(project)]
    return answer({"versions": [card.name for card in cards]})


@routes.route("/job_status", methods=["POST"])
def job_status() -> Response:
    """The job in the four words that Label Studio knows; 410 tells it that the job is gone."""
    name = field(json_object(), "job", str)
    try:
        job = backend().jobs.get(JobId(name))
    except NotFound as exc:
        return answer({"job": name, "job_status": "removed", "error": exc.message}, 410)
    failed = STATUS_NAMES[job.state] == "failed"
    error = job.reason if failed else None
    return answer({"job": job.id, "job_status": STATUS_NAMES[job.state], "error": error})


def _train(project: ProjectId, *, count: bool = True) -> Response:
    job, new = backend().start(JobRequest(project), count=count)
    return answer({"job": job.id, "status": job.state.value}, 201 if new else 200)


def _tasks(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    tasks = cast(list[object], field(body, "tasks", list))
    for position, task in enumerate(tasks):
        if not isinstance(task, dict):
            raise BadInput(f"tasks[{position}]: this must be an object")
    return cast(Sequence[Mapping[str, Any]], tasks)


def _recent_projects() -> Sequence[ProjectId]:
    try:
        jobs = backend().jobs.history(reports=False)
        return list(dict.fromkeys(job.request.project for job in jobs))
    except QueueUnreachable as exc:
        log.warning("cannot tell which projects have versions: %s", exc)
        return []
