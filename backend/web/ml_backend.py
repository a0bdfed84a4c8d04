"""The routes that Label Studio calls.

Label Studio waits 1 s for `/health` and for a webhook, 3 s for `/setup`, 100 s for `/predict` and
"Start training". It reads `model_version`, `results` and `job` from the answers and, of a refusal,
only the HTTP reason phrase.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, cast

from flask import Blueprint, Response, g, request

from backend.domain.errors import AutolabelError, BadInput, NotFound, QueueUnreachable
from backend.domain.ids import UNTRAINED, JobId, ProjectId
from backend.domain.jobs import JobRequest, JobState
from backend.domain.json import Json
from backend.label_studio import labeling_config, webhooks
from backend.web.context import backend, request_id
from backend.web.request_body import field, json_object
from backend.web.responses import answer

log = logging.getLogger(__name__)

routes = Blueprint("contract", __name__)

COUNTABLE = 1000
"""Largest number of labeled tasks to count within a request; Label Studio needs 3 ms for each."""

Predict = Callable[[ProjectId, str, Sequence[Json]], Sequence[Json | list[Any]]]

NO_SUGGESTION: Json = {"result": [], "score": 0.0}

STATUS_NAMES = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "started",
    JobState.STOPPING: "started",
    JobState.FINISHED: "finished",
    JobState.FAILED: "failed",
    JobState.STOPPED: "failed",
}
"""Names of the job states in `/job_status`."""


@routes.route("/health")
def health() -> Response:
    return answer({**backend().health(), "status": "UP", "model_class": "Autolabel"})


@routes.route("/setup", methods=["POST"])
def setup() -> Response:
    """Answer with the current version; refuse a labeling config that has nothing to learn."""
    body = json_object()
    named = field(body, "project", str)
    project = webhooks.project_of(named)
    labeling_config.parse(field(body, "schema", str))
    is_same = backend().is_same(project, webhooks.created_of(named))
    return answer({"model_version": backend().version(project) if is_same else UNTRAINED})


def empty_on_failure(predict: Predict) -> Predict:
    """Answer every task with `[]` if predicting fails; Label Studio would drop the whole batch."""

    @wraps(predict)
    def safely(
        project: ProjectId, label_config: str, tasks: Sequence[Json]
    ) -> Sequence[Json | list[Any]]:
        try:
            return predict(project, label_config, tasks)
        except AutolabelError as exc:
            log.warning("%s answered without predictions: %s", request_id(), exc.message)
        except Exception:
            log.exception("%s answered without predictions", request_id())
        return _none(tasks)

    return safely


def _is_interactive(body: Json) -> bool:
    """Whether Label Studio asks for suggestions beside a region that is being drawn."""
    params = body.get("params")
    context = cast(Json, params).get("context") if isinstance(params, Mapping) else None
    return isinstance(context, Mapping) and bool(cast(Json, context).get("result"))


def _none(tasks: Sequence[Json]) -> Sequence[Json | list[Any]]:
    return [[] for _ in tasks]


@empty_on_failure
def _predictions(
    project: ProjectId, label_config: str, tasks: Sequence[Json]
) -> Sequence[Json | list[Any]]:
    return backend().predict(project, label_config, tasks)


@routes.route("/predict", methods=["POST"])
def predict() -> Response:
    """Answer with one element per task, in order; `[]` where there is no prediction.

    A region that a person is drawing (interactive pre-annotation) gets no suggestions: the stored
    prediction is about the whole image.
    """
    body = json_object()
    named = field(body, "project", str)
    project, tasks = webhooks.project_of(named), _tasks(body)
    config = field(body, "label_config", str)
    is_same = backend().is_same(project, webhooks.created_of(named))
    if _is_interactive(body):
        return answer({"results": [NO_SUGGESTION for _ in tasks]})
    results = _predictions(project, config, tasks) if is_same else _none(tasks)
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
        case webhooks.Nameless():
            backend().webhooks.hear_nameless()
            return answer({"status": "ignored", "reason": webhooks.NAMELESS})
        case webhooks.Ignored(reason):
            return answer({"status": "ignored", "reason": reason})


@routes.route("/train", methods=["POST"])
def train() -> Response:
    """Start training where Label Studio's webhooks are switched off; tasks are ignored."""
    return _train(webhooks.project_of(field(json_object(), "project", str)))


@routes.route("/versions", methods=["GET", "POST"])
def versions() -> Response:
    """List version names, newest first.

    Label Studio's GET names no project; it gets the versions of projects with recent jobs.
    """
    name = json_object().get("project") or request.args.get("project")
    projects = [webhooks.project_of(str(name))] if name else _recent_projects()
    cards = [card for project in projects for card in backend().versions.all(project)]
    return answer({"versions": [card.name for card in cards]})


@routes.route("/job_status", methods=["POST"])
def job_status() -> Response:
    """Answer in Label Studio's four job states; 410 if the job is gone."""
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


def _tasks(body: Json) -> Sequence[Json]:
    tasks = cast(list[object], field(body, "tasks", list))
    for position, task in enumerate(tasks):
        if not isinstance(task, dict):
            raise BadInput(f"tasks[{position}]: this must be an object")
    return cast(Sequence[Json], tasks)


def _recent_projects() -> Sequence[ProjectId]:
    try:
        jobs = backend().jobs.history(reports=False)
        return list(dict.fromkeys(job.request.project for job in jobs))
    except QueueUnreachable as exc:
        log.warning("cannot tell which projects have versions: %s", exc)
        return []
