"""The web pages: overview, project, job."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from flask import Blueprint, Response, abort, render_template, request, send_from_directory
from jinja2 import UndefinedError

from backend.domain.errors import AutolabelError, NotFound
from backend.domain.ids import UNTRAINED, JobId, ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import Job, JobState
from backend.domain.json import Json
from backend.domain.metrics import metrics_from_json
from backend.domain.versions import ModelVersion
from backend.label_studio.webhooks import project_of
from backend.presentation import metrics, sentences
from backend.presentation.confusion_chart import confusion_charts
from backend.presentation.curve_charts import curve_charts
from backend.presentation.next_step import next_step
from backend.presentation.workforce import summary
from backend.settings import without_login
from backend.web.console import csrf, event_stream, formats, views
from backend.web.console.number_fields import number_fields
from backend.web.context import backend, settings
from backend.web.errors import Failure, of_autolabel

logger = logging.getLogger(__name__)

T = TypeVar("T")

routes = Blueprint(
    "console",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)

PLOTS = {
    "learning-curve": "Learning curve: quality of each version over the size of its training set",
    "reliability": "Reliability diagram: accuracy for each predicted confidence",
    "confidence": "Confidence of the predictions, with the certified threshold where there is one",
}
"""Plots of a report with their alternative texts."""

DRAWN_INLINE = "learning-curve"
"""The plot that is not shown beside the curve that the page draws from newer reports."""

LABELS_SHOWN = 5
"""Labels per project on the overview; the rarest ones are shown."""

VERSIONS_SHOWN = 3
"""Newest versions; older ones are behind a click."""

_OTHER_SHAPE = (AttributeError, LookupError, TypeError, ValueError, UndefinedError)
"""Exceptions from a report that another version of Autolabel wrote, or somebody has changed."""

IMAGE_NAME = re.compile(r"(?:[a-z-]+-(?:light|dark)\.svg|task-\d+\.jpg)")

for shown in (
    sentences.sentence,
    formats.percent,
    formats.count,
    formats.duration,
    metrics.metric_name,
    metrics.metric_value,
    formats.took,
):
    routes.add_app_template_filter(shown, shown.__name__)


@routes.app_context_processor
def template_values() -> dict[str, Any]:
    """Return the values that every template may use."""
    return {
        "label_studio": without_login(
            settings().label_studio_public_url or settings().label_studio_url
        ),
        "form_token": csrf.current,
        "live": _live,
        "states": formats.STATES,
        "job_title": formats.job_title,
        "quality": metrics.summary,
        "verdict": sentences.verdict,
        "missing": sentences.missing,
        "no_version": sentences.NO_VERSION,
        "workers": summary,
    }


@routes.after_request
def keep_form_token(response: Response) -> Response:
    return csrf.keep(response)


@routes.route("/")
def overview() -> str:
    troubles: list[Failure] = []
    projects = _or_trouble(backend().label_studio.projects, [], troubles)
    jobs = _or_trouble(lambda: backend().jobs.history(limit=50, reports=False), [], troubles)
    newest: dict[ProjectId, Job] = {}
    for job in jobs:
        newest.setdefault(job.request.project, job)
    versions = {project.id: _current(project.id, troubles) for project in projects}
    workforce = _or_trouble(backend().workforce, None, troubles)
    return render_template(
        "overview.html",
        projects=projects,
        newest=newest,
        versions=versions,
        troubles=troubles,
        workforce=workforce,
    )


@routes.route("/projects/<project:project>")
def project(project: int) -> str:
    return project_page(ProjectId(project))


@routes.route("/projects/<project:project>/readiness")
def readiness(project: int) -> str:
    """Label counts for the overview, loaded separately because Label Studio takes seconds."""
    status, needed = backend().status(ProjectId(project)), settings().min_images_per_label
    fewest = sorted(views.label_bars(status.labels, needed), key=lambda bar: bar.value)
    return render_template(
        "readiness.html",
        status=status,
        bars=fewest[:LABELS_SHOWN],
        more=len(fewest[LABELS_SHOWN:]),
        needed=needed,
    )


@routes.route("/jobs/<job>")
def job(job: str) -> str:
    found = backend().jobs.get(JobId(job))
    try:
        return _job_page(found, found.report or {})
    except _OTHER_SHAPE as exc:
        logger.warning("the report of job %s cannot be shown: %r", found.id, exc)
        return _job_page(found, {}, is_other_shape=True)


def _job_page(job: Job, report: Json, *, is_other_shape: bool = False) -> str:
    folder = backend().report_folder(job)
    return render_template(
        "job.html",
        job=job,
        report=report,
        next_step=next_step(report) if job.state is JobState.FINISHED else None,
        is_other_shape=is_other_shape,
        accepted=backend().accepted(job),
        metrics=metrics_from_json(report.get("metrics") or {}),
        label_tables=views.label_tables(report),
        reason_bars=views.reason_bars(report),
        tried=views.tried(report),
        confusions=confusion_charts(report),
        curves=curve_charts(report, _certificate(job)),
        plots={
            name: text
            for name, text in PLOTS.items()
            if _has(folder, f"{name}-light.svg")
            and not (name == DRAWN_INLINE and report.get("learning_curves"))
        },
        thumbnails={path.name for path in folder.glob("task-*.jpg")},
    )


def _certificate(job: Job) -> Json | None:
    """Return the certificate of the version that the job made or used, if it has one."""
    cards = backend().cards(job.request.project) if job.version else ()
    found = next((card.certificate for card in cards if card.name == job.version), None)
    return asdict(found) if found else None


@routes.route("/jobs/<job>/pictures/<name>")
def image(job: str, name: str) -> Response:
    """Serve a plot or a thumbnail of the job's report, and no other file."""
    if not IMAGE_NAME.fullmatch(name):
        abort(404)
    folder = backend().report_folder(backend().jobs.get(JobId(job)))
    response = send_from_directory(folder, name)
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response


@routes.route("/events")
def events() -> Response:
    number = request.args.get("project")
    return event_stream.stream(backend().jobs, None if number is None else project_of(number))


def project_page(
    project: ProjectId, refused: Failure | None = None, filled: Mapping[str, Any] | None = None
) -> str:
    """Return the project's page, with a refusal and the filled-in form if a start was refused."""
    troubles: list[Failure] = []
    status = _or_trouble(lambda: backend().status(project), None, troubles)
    jobs = _or_trouble(lambda: backend().jobs.history(project, 20, reports=False), [], troubles)
    cards = _or_trouble(lambda: backend().cards(project), [], troubles)
    in_use = _current(project, troubles)
    needed = settings().min_images_per_label
    return render_template(
        "project.html",
        project=project,
        title=status.project.title if status else f"Project {project}",
        status=status,
        items=(status.items if status else ItemKind.IMAGE).plural,
        bars=views.label_bars(status.labels, needed) if status else [],
        needed=needed,
        current=next((job for job in jobs if job.state.is_live), None),
        jobs=jobs,
        cards=cards,
        shown=VERSIONS_SHOWN,
        version=in_use.name if in_use else UNTRAINED,
        troubles=troubles,
        refused=refused,
        filled=filled or {},
        numbers=number_fields(),
    )


def error_page(failure: Failure) -> str:
    return render_template("error.html", failure=failure)


def _live(job: Job) -> views.LiveJob:
    return views.LiveJob.of(job, datetime.now(UTC))


def _current(project: ProjectId, troubles: list[Failure]) -> ModelVersion | None:
    return _or_trouble(lambda: backend().versions.current(project), None, troubles)


def _or_trouble(ask: Callable[[], T], otherwise: T, troubles: list[Failure]) -> T:
    """Call `ask`; if it fails, collect the error for display and return `otherwise`."""
    try:
        return ask()
    except NotFound:
        raise
    except AutolabelError as exc:
        troubles.append(of_autolabel(exc))
        return otherwise


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()
