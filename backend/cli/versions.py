"""Commands about model versions."""

from pathlib import Path
from typing import Annotated

import typer

from backend import settings
from backend.cli.options import AsJson, Project, backend
from backend.domain.ids import ProjectId, VersionName
from backend.presentation import terminal, terminal_views
from backend.presentation.serializers import VersionsJson
from backend.stores.versions import VersionStore

commands = typer.Typer()


@commands.command()
def models(context: typer.Context, project: Project, as_json: AsJson = False) -> None:
    """List the model versions of a project, newest first."""
    application = backend(context)
    current = application.version(ProjectId(project))
    found = VersionsJson.of(application.cards(ProjectId(project)), current)
    terminal.show(found, as_json, terminal_views.versions_lines)


@commands.command()
def activate(
    context: typer.Context,
    project: Project,
    version: Annotated[str, typer.Argument(help="Such as al-0007-3f9c.")],
    as_json: AsJson = False,
) -> None:
    """Make a version the current one, which predicts new tasks."""
    card = backend(context).versions.activate(ProjectId(project), VersionName(version))
    terminal.show(VersionsJson.of([card], card.name), as_json, terminal_views.versions_lines)


@commands.command()
def adopt(
    context: typer.Context,
    project: Project,
    folder: Annotated[
        Path, typer.Argument(help="Such as projects/3/versions/al-0007-3f9c in a data folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Copy a model version from another project or machine, to pre-label this project with it.

    Only use folders from people you trust: loading a detector's weights can run code.
    """
    application = backend(context)
    application.label_studio.project(ProjectId(project))
    card = VersionStore(settings.load().data_dir).adopt(ProjectId(project), folder)
    found = VersionsJson.of([card], application.version(ProjectId(project)))
    terminal.show(found, as_json, terminal_views.versions_lines)
