"""The page of a project's labels: rename, merge and delete, each shown before it is done."""

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from backend.domain.errors import AutolabelError, BadInput
from backend.domain.ids import Label, ProjectId
from backend.domain.label_edits import LabelChange, LabelEdit, LabelEditPlan
from backend.presentation import label_views
from backend.web.console import csrf
from backend.web.context import backend
from backend.web.errors import Failure, of_autolabel

routes = Blueprint("labels", __name__)

CHANGES = (LabelChange.RENAME.value, LabelChange.MERGE.value, LabelChange.DELETE.value)
"""A restore needs the name of a backup, which the command line takes."""


@routes.before_request
def check_form() -> None:
    if request.method == "POST":
        csrf.check()


@routes.route("/projects/<project:project>/labels")
def show(project: int) -> str:
    return _page(ProjectId(project))


@routes.route("/projects/<project:project>/labels", methods=["POST"])
def change(project: int) -> Response:
    """Show what an operation would change; do it once the form says that this was confirmed."""
    number = ProjectId(project)
    try:
        edit = _edit()
        if "confirmed" in request.form:
            backend().relabel(number, edit)
            return make_response(
                redirect(url_for("console.project", project=project, _anchor="job"), 303)
            )
        return make_response(_page(number, plan=backend().plan_labels(number, edit)))
    except AutolabelError as exc:
        failure = of_autolabel(exc)
        return make_response(_page(number, refused=failure), failure.status)


def _page(
    project: ProjectId, plan: LabelEditPlan | None = None, refused: Failure | None = None
) -> str:
    return render_template(
        "labels.html",
        project=project,
        title=backend().label_studio.project(project).title,
        uses=backend().label_uses(project),
        plan=plan,
        plan_lines=list(label_views.plan_lines(plan)) if plan else [],
        refused=refused,
    )


def _edit() -> LabelEdit:
    """Read the operation from the form. Raises BadInput."""
    form = request.form
    change = form.get("change", "")
    if change not in CHANGES:
        raise BadInput(f"change: {change[:20]!r} is none of {', '.join(CHANGES)}")
    return LabelEdit(
        LabelChange(change),
        tuple(map(Label, form.getlist("labels"))),
        Label(form.get("into", "").strip()),
        with_images="with_images" in form,
        delete_files="delete_files" in form,
    )
