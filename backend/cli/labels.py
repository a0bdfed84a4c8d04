"""`autolabel labels PROJECT …`: list, rename, merge, delete and restore labels."""

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.jobs import show_job
from backend.cli.options import AsJson, Exit, Project, Wait, backend
from backend.domain.ids import Label, ProjectId
from backend.domain.label_edits import LabelChange, LabelEdit
from backend.presentation import label_views, terminal, terminal_views

commands = typer.Typer(
    help="List, rename, merge or delete labels across a project, or restore a backup.",
    no_args_is_help=True,
)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@commands.callback()
def choose(context: typer.Context, project: Project) -> None:
    """List, rename, merge or delete labels across a project, or restore a backup."""
    context.meta["project"] = ProjectId(project)


@commands.command("list")
def list_labels(context: typer.Context, as_json: AsJson = False) -> None:
    """List the labels of a project, those that its config lacks too, and how often each is used."""
    application, project = backend(context), context.meta["project"]
    uses = application.label_uses(project)
    terminal.show(label_views.LabelUsesJson.of(uses), as_json, terminal_views.label_uses_lines)


@commands.command()
def rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="The label, or a spelling that the config lacks.")],
    new: Annotated[str, typer.Argument(help="Its new name.")],
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Give a label another name, in the config, annotations, predictions and model version."""
    edit = LabelEdit(LabelChange.RENAME, (Label(old),), Label(new))
    _carry_out(context, edit, yes=yes, wait=wait, as_json=as_json)


@commands.command()
def merge(
    context: typer.Context,
    labels: Annotated[list[str], typer.Argument(help="The labels to merge.", metavar="A B…")],
    into: Annotated[str, typer.Argument(help="The label that they turn into; may be one of them.")],
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Turn several labels into one, which may be one of them or a new one."""
    edit = LabelEdit(LabelChange.MERGE, tuple(map(Label, labels)), Label(into))
    _carry_out(context, edit, yes=yes, wait=wait, as_json=as_json)


@commands.command()
def delete(
    context: typer.Context,
    label: Annotated[str, typer.Argument(help="The label.")],
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Delete the tasks that have no other label.")
    ] = False,
    delete_files: Annotated[
        bool,
        typer.Option("--delete-files", help="And their files below AUTOLABEL_DELETE_FILES_ROOT."),
    ] = False,
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Delete a label with its regions and choices; other labels of the tasks stay."""
    edit = LabelEdit(
        LabelChange.DELETE,
        (Label(label),),
        with_images=with_images,
        delete_files=delete_files,
    )
    _carry_out(context, edit, yes=yes, wait=wait, as_json=as_json)


@commands.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The backup that an operation wrote, or its name.")],
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take a rename, merge or deletion back."""
    edit = backend(context).adopt_backup(context.meta["project"], file)
    _carry_out(context, edit, yes=yes, wait=wait, as_json=as_json)


def _carry_out(
    context: typer.Context, edit: LabelEdit, *, yes: bool, wait: bool, as_json: bool
) -> None:
    """Show what would change, ask, and run the job."""
    application, project = backend(context), context.meta["project"]
    plan = application.plan_labels(project, edit)
    if not as_json:
        for line in label_views.plan_lines(plan):
            terminal.say(line)
    if not yes and not typer.confirm("Go ahead?", default=False, err=as_json):
        raise typer.Exit(Exit.FAILED)
    show_job(application, application.relabel(project, edit), wait=wait, as_json=as_json)
