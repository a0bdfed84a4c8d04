"""The review page: walls of predicted images, boxes drawn, confirmed a screen at a time.

Each request reads a local index and asks Label Studio at most once or twice; what people decide is
written to a file, and saved in Label Studio in the background.
"""

from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, Response, abort, render_template, request, send_file, url_for

from backend.domain import texts
from backend.domain.answers import ImageRef, Prediction
from backend.domain.errors import AutolabelError, BadInput
from backend.domain.geometry import to_percent
from backend.domain.ids import Label, ProjectId, TaskId, VersionName
from backend.domain.reviews import ReviewDecision, ReviewScreen, ReviewVerdict, confidence, parts
from backend.domain.schema import TaskKind
from backend.label_studio import labeling_config
from backend.processes.exposure import has_credentials, is_loopback
from backend.web.console import csrf
from backend.web.context import backend, settings
from backend.web.request_body import field, json_object
from backend.web.responses import answer

routes = Blueprint("review", __name__, url_prefix="/projects/<project:project>/review")

PALETTE = ("#0b7285", "#c2255c", "#2b8a3e", "#9c36b5", "#d9480f", "#1864ab", "#5c940d", "#862e9c")
"""Colors of labels that have none in the labeling config."""

NO_LOGIN = (
    "reviewing writes annotations, so it needs a login where others can reach this address; set "
    "AUTOLABEL_BASIC_AUTH_USER and AUTOLABEL_BASIC_AUTH_PASSWORD"
)
_MOST_DECISIONS = 200


@routes.before_request
def check_access() -> None:
    """Require a login on a network, and our own page behind every change."""
    if not has_credentials(settings()) and not is_loopback(settings().host):
        abort(403, NO_LOGIN)
    if request.method == "POST":
        csrf.check()


@routes.after_request
def keep_form_token(response: Response) -> Response:
    return csrf.keep(response)


@routes.route("")
def page(project: int) -> str:
    """Show the page; its script loads the images."""
    number = ProjectId(project)
    found = backend().label_studio.project(number)
    schema = labeling_config.parse(found.label_config)
    colors = labeling_config.colors(found.label_config)
    labels = list(dict.fromkeys(label for one in schema.controls for label in one.labels))
    return render_template(
        "review.html",
        project=project,
        title=found.title or f"Project {project}",
        version=backend().review.version(number),
        rows=backend().review.labels(number),
        labels=[
            {"name": label, "color": colors.get(label, PALETTE[place % len(PALETTE)])}
            for place, label in enumerate(labels)
        ],
        controls={
            one.name: {
                "labels": one.labels,
                "several": one.kind is TaskKind.MULTI,
                "boxes": one.kind is TaskKind.DETECTION,
            }
            for one in schema.controls
        },
        items=schema.items,
        account=_account(),
        reviewer=reviewer(),
    )


@routes.route("/screen")
def screen(project: int) -> Response:
    """Answer with the next images, the surest first."""
    label = request.args.get("label") or None
    shown = backend().review.screen(
        ProjectId(project),
        Label(label) if label else None,
        _number("from", 0.0),
        int(_number("skip", 0)),
    )
    return answer({"images": [_image(project, one) for one in shown]})


@routes.route("/state")
def state(project: int) -> Response:
    """Answer with the label table and with what is saved."""
    number = ProjectId(project)
    progress = backend().review.progress(number)
    return answer(
        {
            "labels": [
                {"label": one.label, "images": one.images, "confidence": one.confidence}
                for one in backend().review.labels(number)
            ],
            "unsaved": progress.unsaved,
            "saved": progress.saved,
            "problems": list(progress.problems),
        }
    )


@routes.route("/decisions", methods=["POST"])
def decide(project: int) -> Response:
    """Note the decisions of a screen; repeating or changing it is fine."""
    body = json_object()
    listed = cast(list[object], field(body, "decisions", list))
    if len(listed) > _MOST_DECISIONS:
        raise BadInput(f"decisions: at most {_MOST_DECISIONS} at once")
    backend().review.decide(
        ProjectId(project),
        ReviewScreen(
            name=field(body, "screen", str)[:60],
            version=VersionName(field(body, "version", str)),
            reviewer=reviewer(),
            decisions=dict(_decision(one) for one in listed),
        ),
    )
    return answer({"noted": len(listed)}, 202)


@routes.route("/undo", methods=["POST"])
def undo(project: int) -> Response:
    """Take back the decisions of a screen or about a label."""
    body = json_object()
    name, label = body.get("screen"), body.get("label")
    if isinstance(name, str) == isinstance(label, str):
        raise BadInput("give either a screen or a label, as a string")
    number = ProjectId(project)
    if isinstance(name, str):
        count = backend().review.reopen(number, screen=name)
    else:
        count = backend().review.reopen(number, label=Label(str(label)))
    return answer({"reopened": count}, 202)


@routes.route("/images/<int:task>.jpg")
def thumbnail(project: int, task: int) -> Response:
    path = backend().review.thumbnail(ProjectId(project), TaskId(task))
    response = send_file(path, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


def reviewer() -> str:
    """Return who reviews, as far as we know: the name of the login."""
    return settings().basic_auth_user or "somebody at this machine"


def _account() -> str:
    try:
        return backend().review.account()
    except AutolabelError:
        return "the owner of the API key"


def _image(project: int, prediction: Prediction) -> Mapping[str, Any]:
    task = prediction.image.task
    return {
        "task": task,
        "confidence": confidence(prediction),
        **_shown(project, prediction.image),
        "parts": [
            {
                "control": part.control,
                "labels": part.labels,
                "box": to_percent(part.box) if part.box else None,
            }
            for part in parts(prediction.answers)
        ],
    }


def _shown(project: int, ref: ImageRef) -> Mapping[str, str]:
    """Return the address of a small copy of an image, or the beginning of a text."""
    if ref.kind.is_text:
        return {"text": texts.excerpt(ref.uri)}
    return {"thumbnail": url_for("review.thumbnail", project=project, task=ref.task)}


def _decision(value: object) -> tuple[TaskId, ReviewDecision]:
    """Parse `{"task": 7, "verdict": "relabeled", "changes": {"0": ["dog"]}}`. Raises BadInput."""
    match value:
        case {"task": int(task), "verdict": str(verdict)} if verdict in set(ReviewVerdict):
            changes = cast(Mapping[str, object], value).get("changes")
            return TaskId(task), ReviewDecision(ReviewVerdict(verdict), _changes(changes))
        case _:
            raise BadInput("decisions: each needs a task and a verdict")


def _changes(value: object) -> dict[int, tuple[Label, ...]]:
    """Parse `{"0": ["dog"]}`; nothing is no change. Raises BadInput."""
    if not value:
        return {}
    try:
        return {
            int(position): tuple(Label(label) for label in labels if isinstance(label, str))
            for position, labels in cast(Mapping[str, list[object]], value).items()
        }
    except (AttributeError, TypeError, ValueError) as exc:
        raise BadInput("changes: this must map positions to lists of labels") from exc


def _number(name: str, absent: float) -> float:
    """Return a number of the query. Raises BadInput."""
    text = request.args.get(name, "")
    try:
        number = float(text) if text else absent
    except ValueError as exc:
        raise BadInput(f"{name}: {text[:20]!r} is not a number") from exc
    if not 0 <= number <= 1e9:
        raise BadInput(f"{name}: this must not be negative")
    return number
