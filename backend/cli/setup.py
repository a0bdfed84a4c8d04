"""Commands that connect Label Studio, check the installation and show the settings."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from backend import settings
from backend.cli.options import AsJson, Exit, Project, backend
from backend.domain.errors import AutolabelError
from backend.domain.ids import ProjectId
from backend.domain.schema import TaskKind
from backend.presentation import sentences, terminal, terminal_views

commands = typer.Typer()


@commands.command()
def connect(context: typer.Context, project: Project) -> None:
    """Register this backend, its webhook and the Data Manager tabs. Safe to repeat."""
    configured = settings.load()
    done = backend(context).label_studio.connect(
        ProjectId(project),
        configured.public_url,
        configured.basic_auth_user,
        configured.basic_auth_password.get_secret_value(),
    )
    terminal.say(done)
    with suppress(AutolabelError):  # the project is connected; the rest is advice
        status = backend(context).status(ProjectId(project))
        for line in sentences.first_labels(status, by_itself=configured.auto_train):
            terminal.say(line)


@commands.command()
def disconnect(context: typer.Context, project: Project) -> None:
    """Remove this backend and its webhook from a project; labels, tabs and versions stay."""
    url = settings.load().public_url
    backend(context).label_studio.disconnect(ProjectId(project), url)
    terminal.say(f"Project {project} is disconnected from {settings.without_login(url)}.")


@commands.command()
def doctor(
    project: Annotated[
        int | None, typer.Argument(help="Check the connection of this project, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every link: Label Studio, token, webhook, Redis, worker, device, weights, disk."""
    from backend.cli import diagnosis, doctor  # noqa: PLC0415 - other commands need not load them

    found = doctor.examine(settings.load(), ProjectId(project) if project else None)
    terminal.show(found, as_json, diagnosis.diagnosis_lines)
    if not found.good:
        raise typer.Exit(Exit.FAILED)


@commands.command()
def install_action(
    label_studio: Annotated[
        Path | None,
        typer.Option(help="Label Studio's environment: its folder, python or label-studio."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the action.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only check that it is installed and current (exit 0).")
    ] = False,
) -> None:
    """Add "Auto Labeling" to the actions menu of Label Studio's Data Manager."""
    from backend.processes import action_install  # noqa: PLC0415 - other commands need not load it

    if check:
        current = action_install.is_current(label_studio)
        terminal.say("The action is current." if current else "The action is missing or outdated.")
        raise typer.Exit(Exit.DONE if current else Exit.FAILED)
    change = action_install.remove if remove else action_install.install
    terminal.say(change(label_studio))


@commands.command(name="settings")
def show_settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the defaults as in docs/settings.md.")
    ] = False,
) -> None:
    """Show every setting with its value and meaning; secrets are masked."""
    if markdown:
        rows = settings.table(settings.Settings.model_construct())
        terminal.write(terminal_views.settings_markdown(rows))
    else:
        terminal.show(settings.table(settings.load()), False, terminal_views.settings_lines)


@commands.command()
def demo(
    images: Annotated[
        Path | None, typer.Option(help="Folder with one sub-folder per class, or with boxes.")
    ] = None,
    task: Annotated[
        TaskKind, typer.Option(help="What --images contains: classes or boxes.")
    ] = TaskKind.SINGLE,
    per_class: Annotated[int, typer.Option(help="Images to annotate per class.", min=5)] = 10,
    keep: Annotated[bool, typer.Option(help="Keep running until Ctrl-C.")] = True,
    label_studio: Annotated[
        Path | None, typer.Option(help="The label-studio command to run.")
    ] = None,
) -> None:
    """Try everything: a separate Label Studio, a project of real images, one job."""
    from backend.demo import trial  # noqa: PLC0415 - other commands need not load it

    plan = trial.Plan(images, task, per_class, keep, label_studio)
    raise typer.Exit(trial.run(settings.load(), plan))
