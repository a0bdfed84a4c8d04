"""Commands about model versions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer
import yaml

from backend import settings, wiring
from backend.cli.options import AsJson, Project, backend
from backend.domain.errors import BadInput
from backend.domain.ids import Label, ProjectId, VersionName
from backend.presentation import terminal, terminal_views
from backend.presentation.serializers import VersionsJson
from backend.services.model_export import ExportFormat
from backend.services.model_import import ImportedVersion
from backend.stores.versions import VersionStore

commands = typer.Typer()

UNUSED_SHOWN = 20


class Importer(Protocol):
    """The use case that imports models."""

    def __call__(
        self, project: ProjectId, source: str, given: Mapping[str, Label], *, trust: bool
    ) -> ImportedVersion: ...


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


@commands.command("import-model")
def import_model(
    project: Project,
    model: Annotated[
        str,
        typer.Argument(
            help="A .pt, .onnx or .safetensors file, a name such as yolo11n.pt or timm:resnet18, or"
            " the folder of a version of another project.",
            metavar="FILE|NAME",
        ),
    ],
    names: Annotated[
        Path | None,
        typer.Option("--map", help="YAML file with lines 'class of the model: label'."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a pickle even if it could run any code.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import a model from elsewhere as a version, to pre-label this project with it."""
    nothing: Mapping[str, Label] = {}
    given = read_map(names) if names else nothing
    load: Importer = wiring.model_import(settings.load())
    imported = load(ProjectId(project), model, given, trust=trust)
    found = VersionsJson.of([imported.version], "")
    if as_json:
        terminal.show(found, as_json, terminal_views.versions_lines)
        return
    for line in import_lines(imported):
        terminal.say(line)


@commands.command("export-model")
def export_model(
    project: Project,
    version: Annotated[str, typer.Argument(help="Such as al-0007-3f9c.")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="What to write.")
    ] = ExportFormat.ONNX,
    to: Annotated[Path, typer.Option("--to", help="Folder to write into.")] = Path(),
) -> None:
    """Write a version as one file that predicts from pixels, without this program."""
    export = wiring.model_export(settings.load())
    for path in export(ProjectId(project), VersionName(version), form, to):
        terminal.say(f"Wrote {path}")


def read_map(path: Path) -> Mapping[str, Label]:
    """Read which label a class of the model stands for. Raises BadInput."""
    try:
        content: object = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise BadInput(f"{path} is no YAML file that can be read: {exc}") from exc
    if not isinstance(content, Mapping) or not content:
        raise BadInput(f"{path} holds no lines 'class of the model: label'")
    lines = cast("Mapping[object, object]", content)
    return {str(name): Label(str(label)) for name, label in lines.items()}


def import_lines(imported: ImportedVersion) -> Iterable[str]:
    """Yield what was imported: the version, its labels, and what stands for nothing."""
    version, matching = imported.version, imported.matching
    yield f"Imported as {version.name}: {version.reason}."
    pairs = ", ".join(f"{name} as {label}" for name, label in matching.labels.items())
    yield f"Classes in use: {pairs}."
    if matching.unmatched:
        yield f"Labels that it does not know: {', '.join(matching.unmatched)}."
    if matching.unused:
        more = len(matching.unused) - UNUSED_SHOWN
        names = ", ".join(matching.unused[:UNUSED_SHOWN])
        yield f"Classes without a label: {names}{f' and {more} more' if more > 0 else ''}."
    yield (
        f"Label with it: autolabel label {version.project} --mode pre-labeling"
        f" --model {version.name}"
    )


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
