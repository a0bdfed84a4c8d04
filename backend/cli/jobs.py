"""Commands that start, show and end jobs."""

from typing import Annotated

import typer

from backend.cli.options import AsJson, Exit, Project, Wait, backend
from backend.domain.audits import Promise
from backend.domain.ids import JobId, ProjectId, VersionName
from backend.domain.jobs import (
    FEWEST_GROUPS,
    MOST_GROUPS,
    MOST_PICKS,
    Algorithm,
    Job,
    JobRequest,
    JobState,
    Mode,
)
from backend.jobs import requests
from backend.ports.application import Backend
from backend.presentation import job_progress, terminal, terminal_views
from backend.presentation.serializers import JobJson, JobsJson, StatusAndJobs, StatusJson

DEFAULTS = JobRequest(ProjectId(0))
JOBS_SHOWN = 5

MaxError = Annotated[float, typer.Option(help="Largest share of labels that may be wrong.")]
PromiseOption = Annotated[
    Promise,
    typer.Option(
        help="What --max-error is about: the finished data set, what is accepted, or, for "
        "rectangles, the accepted boxes and the missed ones."
    ),
]
Confidence = Annotated[float, typer.Option(help="Confidence with which --max-error holds.")]
LabelsAreRandom = Annotated[
    bool,
    typer.Option(
        "--labels-are-random", help="Declare that the labeled tasks were drawn at random."
    ),
]

Partial = Annotated[
    bool,
    typer.Option(
        "--partial", help="Where some controls are not learned, make predictions and accept none."
    ),
]
Skipped = Annotated[bool, typer.Option("--skipped", help="Predict skipped tasks, too.")]

commands = typer.Typer()


@commands.command()
def label(
    context: typer.Context,
    project: Project,
    mode: Annotated[
        Mode, typer.Option(help="Train, then label; or label with a chosen model version.")
    ] = DEFAULTS.mode,
    algorithm: Annotated[
        Algorithm, typer.Option(help="Learn from labeled tasks only, or from all of them.")
    ] = DEFAULTS.algorithm,
    model: Annotated[
        str | None, typer.Option(help="Version for pre-labeling, such as al-0007-3f9c.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Turn confident predictions into annotations.")
    ] = False,
    max_error: MaxError = DEFAULTS.max_error,
    promise: PromiseOption = DEFAULTS.promise,
    confidence: Confidence = DEFAULTS.confidence,
    labels_are_random: LabelsAreRandom = False,
    partial: Partial = False,
    skipped: Skipped = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Run an auto-labeling job."""
    request = JobRequest(
        ProjectId(project),
        mode=mode,
        algorithm=algorithm,
        model_version=VersionName(model) if model else None,
        accept=accept,
        max_error=max_error,
        promise=promise,
        confidence=confidence,
        labels_are_random=labels_are_random,
        partial=partial,
        skipped=skipped,
    )
    _run(context, request, wait=wait, as_json=as_json)


@commands.command()
def group(
    context: typer.Context,
    project: Project,
    groups: Annotated[
        int, typer.Option(help="Number of groups.", min=FEWEST_GROUPS, max=MOST_GROUPS)
    ] = DEFAULTS.groups,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Group similar unlabeled tasks, so that many can be labeled at a time."""
    request = JobRequest(ProjectId(project), mode=Mode.GROUPING, groups=groups)
    _run(context, request, wait=wait, as_json=as_json)


@commands.command()
def suggest(
    context: typer.Context,
    project: Project,
    count: Annotated[
        int, typer.Option(help="Number of tasks.", min=1, max=MOST_PICKS)
    ] = DEFAULTS.count,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Choose the tasks that are worth labeling next and list them in a tab."""
    request = JobRequest(ProjectId(project), mode=Mode.SUGGESTING, count=count)
    _run(context, request, wait=wait, as_json=as_json)


def _run(context: typer.Context, request: JobRequest, *, wait: bool, as_json: bool) -> None:
    """Start the job or join the one that is running, and follow it to its end."""
    requests.check(request)
    application = backend(context)
    job, is_new = application.start(request)
    if not is_new and not as_json:
        terminal.say(f"Joined job {job.id}, which is already running.")
    show_job(application, job, wait=wait, as_json=as_json)


def show_job(application: Backend, job: Job, *, wait: bool, as_json: bool) -> None:
    """Show a job, with `wait` after its end. A job that did not finish makes the command fail."""
    if wait:
        job = job_progress.follow(application.jobs, job, quiet=as_json)
    terminal.show(JobJson.of(job), as_json, terminal_views.job_lines)
    if job.state in {JobState.FAILED, JobState.STOPPED}:
        raise typer.Exit(Exit.FAILED)


@commands.command()
def status(context: typer.Context, project: Project, as_json: AsJson = False) -> None:
    """Show label counts, readiness with reasons, the current version and the last jobs."""
    application = backend(context)
    found = StatusJson.of(application.status(ProjectId(project)))
    last = application.jobs.history(ProjectId(project), JOBS_SHOWN)
    terminal.show(StatusAndJobs.join(found, last), as_json, terminal_views.status_lines)


@commands.command()
def jobs(
    context: typer.Context,
    project: Annotated[int | None, typer.Argument(help="Only jobs of this project.")] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    found = backend(context).jobs.history(ProjectId(project) if project else None)
    terminal.show(JobsJson.of(found), as_json, terminal_views.jobs_lines)


@commands.command()
def stop(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="Id of the job.")],
    as_json: AsJson = False,
) -> None:
    """Stop a job; what it already published stays."""
    stopping = backend(context).jobs.stop(JobId(job))
    terminal.show(JobJson.of(stopping), as_json, terminal_views.job_lines)


@commands.command()
def undo(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="Id of the job.")],
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Delete the annotations that a job with --accept created; safe to repeat."""
    application = backend(context)
    show_job(application, application.undo(JobId(job)), wait=wait, as_json=as_json)
