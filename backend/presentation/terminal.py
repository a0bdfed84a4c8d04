"""What the command line prints: words and tables for people, JSON for scripts, progress."""

import json
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from backend.domain.jobs import Job, JobState
from backend.domain.json import Json
from backend.domain.metrics import metrics_from_json
from backend.ports.jobs import Jobs
from backend.presentation import metrics, sentences
from backend.presentation.serializers import job_json

POLL_SECONDS = 0.25

SETTINGS_PAGE = """# Settings

Environment variables, or lines of a file `.env` in the working directory. An unknown `AUTOLABEL_…`
name is an error. This page is what `autolabel settings --markdown` prints; `autolabel settings`
shows the values in force.

| name | default | meaning |
|---|---|---|"""

out = Console()
err = Console(stderr=True)

Words = Callable[[Json], Iterable[RenderableType]]


def say(words: str) -> None:
    out.print(escape(words))


def write(text: str) -> None:
    """Print exactly this, for files and other programs."""
    sys.stdout.write(text)


def complain(head: str, words: str) -> None:
    separator = "\n" if "\n" in words or words.startswith(" ") else " "
    said = f"[bold red]{escape(head)}:[/]{separator}{escape(words)}"
    err.print(said, highlight=False, soft_wrap=True)


def show(body: Json, as_json: bool, words: Words) -> None:
    """Print `body` as JSON on standard output, or as words."""
    if as_json:
        sys.stdout.write(json.dumps(body, indent=2, default=str) + "\n")
        return
    for part in words(body):
        out.print(part, highlight=False)


@contextmanager
def waiting(words: str) -> Generator[None]:
    """Say what takes a while: a spinner on a terminal, a plain line otherwise."""
    if out.is_terminal:
        with out.status(escape(words)):
            yield
    else:
        say(words)
        yield


def show_job(job: Job) -> None:
    """One job and what it found out, in words."""
    show(job_json(job), as_json=False, words=job_words)


def follow(jobs: Jobs, job: Job, *, quiet: bool = False) -> Job:
    """Show a job's progress until it ends: a bar on a terminal, plain lines otherwise."""
    if quiet:
        return _wait(jobs, job, lambda _: None)
    if not out.is_terminal:
        return _wait(jobs, job, _PlainLines())
    bar = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=out,
    )
    with bar:
        row = bar.add_task("queued", total=1.0)
        return _wait(
            jobs,
            job,
            lambda now: bar.update(row, completed=now.progress, description=_doing(now)),
        )


class _PlainLines:
    """A line whenever the step changes."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, job: Job) -> None:
        if _doing(job) != self._last:
            self._last = _doing(job)
            out.print(f"{job.progress:4.0%} {self._last}", highlight=False)


def _doing(job: Job) -> str:
    return sentences.step(job) if job.state is JobState.RUNNING else job.state.value


def _wait(jobs: Jobs, job: Job, tell: Callable[[Job], None]) -> Job:
    while job.state.is_live:
        tell(job)
        time.sleep(POLL_SECONDS)
        job = jobs.get(job.id)
    tell(job)
    return job


# --- words -------------------------------------------------------------------------------------


def job_words(job: Json) -> Iterable[RenderableType]:
    """One job: how it ended and what it found out."""
    yield f"Job [bold]{job['id']}[/] {job['state']}" + _clause(job["reason"])
    report = job.get("report")
    if not report:
        return
    if report["version"] is None:
        yield from _looked_words(report)
        return
    yield f"  version    {report['version']}"
    if report.get("shown", report["version"]) != report["version"]:
        yield f"  shown      {report['shown']}: the predictions are of this version"
    yield f"  labeled    {report['labeled']} images"
    yield f"  predicted  {report['predicted']} images, {report['hard']} of them hard"
    if report.get("accepted"):
        yield f"  accepted   {report['accepted']} images"
    if report.get("forecast"):
        yield f"  outlook    {escape(report['forecast']['reason'])}"
    if report["unreadable"]:
        yield f"  unreadable {len(report['unreadable'])} images, first: " + escape(
            str(report["unreadable"][0]["reason"])
        )
    for one in report.get("skipped_cleanup", ()):
        yield f"  left       {escape(one['what'])}: {escape(one['reason'])}"
    yield f"  measured   {escape(metrics.figures(metrics_from_json(report['metrics'])))}"
    yield f"  seconds    {', '.join(f'{k} {v:.1f}' for k, v in report['seconds'].items())}"


def _looked_words(report: Json) -> Iterable[RenderableType]:
    """What a grouping or a suggestion made, and where to see it."""
    if groups := report.get("groups"):
        largest = ", ".join(f"{one['name']} with {one['images']}" for one in groups[:3])
        yield f"  groups     {len(groups)}, the largest: {largest} images"
        yield "  see        the tab Groups; filter by 'Prediction model versions'"
    if picks := report.get("picks"):
        clusters = {one["cluster"] for one in picks}
        yield f"  picked     {len(picks)} images in {len(clusters)} clusters"
        yield f"  chosen by  {report['chosen_by']}"
        yield "  see        the tab Label next"
    yield f"  seconds    {', '.join(f'{k} {v:.1f}' for k, v in report['seconds'].items())}"


def status_words(status: Json) -> Iterable[RenderableType]:
    """A project: readiness, images a label, version, last jobs."""
    yield f"[bold]{escape(status['project']['title'])}[/]  project {status['project']['id']}"
    verdict, *more = status["summary"]
    yield f"[{'green' if status['ready'] else 'red'}]{escape(verdict)}[/]"
    yield from (f"  - {escape(reason)}" for reason in more[: len(status["reasons"])])
    yield _table(
        ("control", "label", "images"),
        ((row["control"], row["label"], str(row["images"])) for row in status["labels"]),
    )
    yield from (escape(note) for note in more[len(more) - len(status["warnings"]) :])
    yield f"Current version: {status['version'] or 'none yet'}"
    if status.get("trigger"):
        yield f"Training by itself: {escape(status['trigger'])}"
    if forecast := _newest_forecast(status["jobs"]):
        yield f"Outlook: {escape(forecast['reason'])}"
    yield from jobs_words(status)


def jobs_words(body: Json) -> Iterable[RenderableType]:
    """Jobs, one a line."""
    if not body["jobs"]:
        yield "No jobs yet. Start one with: autolabel label PROJECT"
        return
    columns = ("id", "project", "mode", "algorithm", "state", "progress", "reason")
    yield _table(
        ("job", *columns[1:]),
        (
            tuple(f"{job[name]:.0%}" if name == "progress" else str(job[name]) for name in columns)
            for job in body["jobs"]
        ),
    )


def versions_words(body: Json) -> Iterable[RenderableType]:
    """Model versions, one a line; a star marks the current one."""
    if not body["versions"]:
        yield f"{body['summary']} Start it with: autolabel label PROJECT"
        return
    yield _table(
        ("", "version", "kind", "trained on", "quality", "created"),
        (
            (
                "*" if card["current"] else "",
                card["name"],
                "+".join(dict.fromkeys(card["kinds"].values())),
                f"{card['trained_on'].get('images', '?')} images",
                card["summary"],
                str(card["created"])[:16],
            )
            for card in body["versions"]
        ),
    )


def settings_words(body: Json) -> Iterable[RenderableType]:
    """Settings, one a line."""
    yield _table(("setting", "value", "meaning"), body["settings"])


def settings_markdown(rows: Iterable[tuple[str, str, str]]) -> str:
    """The page of the documentation that lists all settings."""
    lines = [
        f"| `{name}` | {f'`{value}`' if value else 'none'} | {words} |"
        for name, value, words in rows
    ]
    return "\n".join([SETTINGS_PAGE, *lines, ""])


def doctor_words(body: Json) -> Iterable[RenderableType]:
    """Each check with its cure where it failed."""
    for check in body["checks"]:
        mark = "[green]ok  [/]" if check["good"] else "[red]FAIL[/]"
        yield f"{mark} {escape(check['name'])}: {escape(check['found'])}"
        if not check["good"]:
            yield f"     {escape(check['hint'])}"


def _newest_forecast(jobs: Sequence[Json]) -> Json | None:
    """What the last job that looked ahead saw; jobs are newest first."""
    reports: Iterable[Json] = (job["report"] for job in jobs if job["report"])
    return next((report["forecast"] for report in reports if report.get("forecast")), None)


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _clause(reason: str) -> str:
    return f": {escape(reason)}" if reason else ""
