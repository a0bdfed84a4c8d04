"""The `autolabel` command. Exit status: 0 done, 1 failed, 2 usage, 3 refused by a precondition."""

import logging
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

from backend import settings, wiring
from backend.domain.errors import AutolabelError, BadInput, NotFound, Refused
from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import Algorithm, JobState, Mode
from backend.domain.schema import TaskKind
from backend.jobs import requests
from backend.presentation import sentences, terminal
from backend.presentation.serializers import job_json, status_json, versions_json

app = typer.Typer(
    name="autolabel",
    help="Label Studio projects of images that label themselves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SERVERS = {"up", "serve", "worker"}
"""Commands that log what they do; the others only complain."""

Project = Annotated[int, typer.Argument(help="Id of the project, as in its address.", min=1)]
Wait = Annotated[bool, typer.Option(help="Follow the job to its end.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


class Exit(IntEnum):
    """What the shell learns."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3


@app.callback()
def prepare(context: typer.Context) -> None:
    """Label Studio projects of images that label themselves."""
    level = logging.INFO if context.invoked_subcommand in SERVERS else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


@app.command()
def up() -> None:
    """Run everything in this terminal: Redis, web, one worker. Ctrl-C stops all."""
    from backend.processes import supervisor  # noqa: PLC0415 - other commands need not load it

    raise typer.Exit(supervisor.up(settings.load()))


@app.command()
def serve() -> None:
    """Run the web part alone: Label Studio's calls, the job API and the page."""
    from backend.web import app as web  # noqa: PLC0415 - other commands need not load it

    configured = settings.load()
    backend = wiring.backend(configured)
    with wiring.watcher(backend).running():
        web.serve(backend, configured)


@app.command()
def worker() -> None:
    """Run one worker alone: it takes jobs from the queue, one at a time."""
    from backend import rq_entry  # noqa: PLC0415 - other commands need not load them
    from backend.processes import warm_up, worker  # noqa: PLC0415 - other commands need not load them

    configured = settings.load()
    with warm_up.beside(configured):
        rq_entry.preload(configured)
        worker.run_worker(configured)


@app.command()
def connect(project: Project) -> None:
    """Register this backend, its webhook and the Data Manager tabs. Safe to repeat."""
    configured = settings.load()
    done = wiring.backend(configured).label_studio.connect(
        ProjectId(project),
        configured.public_url,
        configured.basic_auth_user,
        configured.basic_auth_password.get_secret_value(),
    )
    terminal.say(done)


@app.command()
def disconnect(project: Project) -> None:
    """Take this backend and its webhook out of a project; labels, tabs and versions stay."""
    configured = settings.load()
    wiring.backend(configured).label_studio.disconnect(ProjectId(project), configured.public_url)
    terminal.say(f"Project {project} does not know {configured.public_url} any more.")


@app.command()
def label(
    project: Project,
    mode: Annotated[
        Mode, typer.Option(help="Learn, then label; or label with a chosen model version.")
    ] = Mode.ACTIVE_LEARNING,
    algorithm: Annotated[
        Algorithm, typer.Option(help="Learn from labeled images only, or from all of them.")
    ] = Algorithm.FAST,
    model: Annotated[
        str | None, typer.Option(help="Version for pre-labeling, such as al-0007-3f9c.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Turn the sure predictions into annotations.")
    ] = False,
    max_error: Annotated[
        float, typer.Option(help="Share of accepted labels that may be wrong.")
    ] = 0.05,
    confidence: Annotated[float, typer.Option(help="Certainty of that promise.")] = 0.95,
    labels_are_random: Annotated[
        bool,
        typer.Option(
            "--labels-are-random", help="State that people labeled images drawn at random."
        ),
    ] = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Run one auto-labeling job."""
    body = {
        "mode": mode.value,
        "algorithm": algorithm.value,
        "model_version": model,
        "accept": accept,
        "max_error": max_error,
        "confidence": confidence,
        "labels_are_random": labels_are_random,
    }
    _run_job(project, body, wait=wait, as_json=as_json)


@app.command()
def group(
    project: Project,
    groups: Annotated[int, typer.Option(help="How many groups, 2 to 200.")] = 20,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Group unlabeled images that look alike, to be labeled many at a time."""
    body = {"mode": Mode.GROUPING.value, "groups": groups}
    _run_job(project, body, wait=wait, as_json=as_json)


@app.command()
def suggest(
    project: Project,
    count: Annotated[int, typer.Option(help="How many images, 1 to 200.")] = 20,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Find the images that are worth labeling next, and list them in a tab."""
    body = {"mode": Mode.SUGGESTING.value, "count": count}
    _run_job(project, body, wait=wait, as_json=as_json)


def _run_job(project: int, body: Mapping[str, object], *, wait: bool, as_json: bool) -> None:
    backend = wiring.backend(settings.load())
    job, is_new = backend.start(requests.job_request(ProjectId(project), body))
    if not is_new and not as_json:
        terminal.say(f"Joining job {job.id}, which runs already.")
    if wait:
        job = terminal.follow(backend.jobs, job, quiet=as_json)
    terminal.show(job_json(job), as_json, terminal.job_words)
    if job.state in {JobState.FAILED, JobState.STOPPED}:
        raise typer.Exit(Exit.FAILED)


@app.command()
def status(project: Project, as_json: AsJson = False) -> None:
    """Show label counts, readiness with reasons, the current version and the last jobs."""
    backend = wiring.backend(settings.load())
    found = status_json(backend.status(ProjectId(project)))
    found["jobs"] = [job_json(job) for job in backend.jobs.history(ProjectId(project), 5)]
    terminal.show(found, as_json, terminal.status_words)


@app.command()
def jobs(
    project: Annotated[int | None, typer.Argument(help="Only of this project.")] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    chosen = ProjectId(project) if project else None
    found = [job_json(job) for job in wiring.backend(settings.load()).jobs.history(chosen)]
    terminal.show({"jobs": found}, as_json, terminal.jobs_words)


@app.command()
def stop(
    job: Annotated[str, typer.Argument(help="Id of the job.")], as_json: AsJson = False
) -> None:
    """Stop a job; what it had published stays."""
    stopping = wiring.backend(settings.load()).jobs.stop(JobId(job))
    terminal.show(job_json(stopping), as_json, terminal.job_words)


@app.command()
def undo(job: Annotated[str, typer.Argument(help="Id of the job.")]) -> None:
    """Take back the annotations that a job with --accept made."""
    taken = wiring.backend(settings.load()).undo(JobId(job))
    terminal.say(f"Took back {taken} annotations; their images wait for a person again.")


@app.command()
def models(project: Project, as_json: AsJson = False) -> None:
    """List the model versions of a project, the newest first."""
    backend = wiring.backend(settings.load())
    current = backend.version(ProjectId(project))
    found = versions_json(backend.cards(ProjectId(project)), current)
    terminal.show(found, as_json, terminal.versions_words)


@app.command()
def activate(
    project: Project,
    version: Annotated[str, typer.Argument(help="Such as al-0007-3f9c.")],
    as_json: AsJson = False,
) -> None:
    """Make a version the current one: the one that new tasks are predicted with."""
    card = wiring.backend(settings.load()).versions.activate(
        ProjectId(project), VersionName(version)
    )
    found = versions_json([card], card.name)
    terminal.show(found, as_json, terminal.versions_words)


@app.command()
def adopt(
    project: Project,
    folder: Annotated[
        Path, typer.Argument(help="Such as projects/3/versions/al-0007-3f9c below a data folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Copy a model version of another project or machine, to pre-label this one with it.

    Give only folders of people whom you trust: the weights of a detector can run code.
    """
    backend = wiring.backend(settings.load())
    backend.label_studio.project(ProjectId(project))
    card = backend.versions.adopt(ProjectId(project), folder)
    found = versions_json([card], backend.version(ProjectId(project)))
    terminal.show(found, as_json, terminal.versions_words)


@app.command()
def doctor(
    project: Annotated[
        int | None, typer.Argument(help="Check this project's connection too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every link: Label Studio, token, webhook, Redis, worker, device, weights, disk."""
    from backend.cli import doctor  # noqa: PLC0415 - other commands need not load it

    findings = doctor.examine(settings.load(), ProjectId(project) if project else None)
    terminal.show(
        {"checks": [finding.json() for finding in findings]}, as_json, terminal.doctor_words
    )
    if not all(finding.good for finding in findings):
        raise typer.Exit(Exit.FAILED)


@app.command()
def install_action(
    label_studio: Annotated[
        Path | None,
        typer.Option(help="Label Studio's environment: its folder, python or label-studio."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it out again.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether it is there and current (exit 0).")
    ] = False,
) -> None:
    """Put "Auto Labeling" into the Data Manager of Label Studio."""
    from backend.processes import action_install  # noqa: PLC0415 - other commands need not load it

    if check:
        current = action_install.is_current(label_studio)
        terminal.say("It is current." if current else "It is missing or of another version.")
        raise typer.Exit(Exit.DONE if current else Exit.FAILED)
    change = action_install.remove if remove else action_install.install
    terminal.say(change(label_studio))


@app.command(name="settings")
def show_settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the defaults as docs/settings.md has them.")
    ] = False,
) -> None:
    """Show every setting with its value and meaning; secrets are masked."""
    if markdown:
        terminal.write(
            terminal.settings_markdown(settings.table(settings.Settings.model_construct()))
        )
    else:
        terminal.show({"settings": settings.table(settings.load())}, False, terminal.settings_words)


@app.command()
def demo(
    images: Annotated[
        Path | None, typer.Option(help="Folder with one sub-folder a class, or of boxes.")
    ] = None,
    task: Annotated[
        TaskKind, typer.Option(help="What the sub-folders or box files of --images say.")
    ] = TaskKind.SINGLE,
    per_class: Annotated[int, typer.Option(help="Images a class to annotate.", min=5)] = 10,
    keep: Annotated[bool, typer.Option(help="Stay up until Ctrl-C.")] = True,
    label_studio: Annotated[
        Path | None, typer.Option(help="The label-studio command to run.")
    ] = None,
) -> None:
    """Try everything: an own Label Studio, a project of real images, one job."""
    from backend.demo import trial  # noqa: PLC0415 - other commands need not load it

    raise typer.Exit(
        trial.run(settings.load(), trial.Plan(images, task, per_class, keep, label_studio))
    )


def main() -> None:
    """Run a command; errors of ours end in one sentence and an exit status."""
    try:
        app()
    except Refused as exc:
        reasons = "\n".join(f"  - {reason.text}" for reason in exc.reasons)
        _report(sentences.NOT_STARTED, reasons, Exit.REFUSED)
    except (BadInput, NotFound) as exc:
        _report("Cannot do that", str(exc), Exit.USAGE)
    except AutolabelError as exc:
        _report("Failed", str(exc), Exit.FAILED)


def _report(head: str, words: str, code: Exit) -> None:
    terminal.complain(head, words)
    sys.exit(code)
