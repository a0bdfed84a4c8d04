"""Lines and tables that the commands print when not asked for JSON."""

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from backend.domain.json import Json
from backend.domain.metrics import metrics_from_json
from backend.domain.tab_titles import TabTitle
from backend.presentation import metrics
from backend.presentation.label_views import LabelUsesJson
from backend.presentation.serializers import JobJson, JobsJson, StatusAndJobs, VersionsJson

SETTINGS_PAGE = """# Settings

Environment variables, or lines of a file `.env` in the working directory. An unknown `AUTOLABEL_…`
name is an error. This page is the output of `autolabel settings --markdown`; `autolabel settings`
shows the values in force.

| name | default | meaning |
|---|---|---|"""


def job_lines(job: JobJson) -> Iterable[RenderableType]:
    """Yield one job: how it ended and what it reports."""
    reason = f": {escape(job.reason)}" if job.reason else ""
    yield f"Job [bold]{job.id}[/] {job.state}{reason}"
    if not job.report:
        return
    try:
        yield from list(_report_lines(job.report))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        yield "  report     of another version of Autolabel; see report.json"


def _report_lines(report: Json) -> Iterable[str]:
    if "labels_changed" in report:
        yield f"  backup     {escape(report['backup'])}"
    else:
        lines = _selection_lines if report["version"] is None else _training_lines
        yield from lines(report)
    for remark in report.get("remarks", ()):
        yield f"  remark     {escape(str(remark))}"
    seconds = ", ".join(f"{name} {spent:.1f}" for name, spent in report["seconds"].items())
    yield f"  seconds    {seconds}"


def _training_lines(report: Json) -> Iterable[str]:
    """Report of a job that predicted with a version."""
    yield f"  version    {report['version']}"
    if report.get("shown", report["version"]) != report["version"]:
        yield f"  shown      {report['shown']}: the predictions are of this version"
    items = report.get("items", "images")
    yield f"  labeled    {report['labeled']} {items}"
    yield f"  predicted  {report['predicted']} {items}, {report['hard']} of them hard"
    if report.get("accepted"):
        yield f"  accepted   {report['accepted']} {items}"
    if report.get("forecast"):
        yield f"  forecast   {escape(report['forecast']['reason'])}"
    yield from _unreadable_lines(report)
    for skipped in report.get("skipped_cleanup", ()):
        yield f"  skipped    {escape(skipped['what'])}: {escape(skipped['reason'])}"
    yield f"  measured   {escape(metrics.figures(metrics_from_json(report['metrics'])))}"


def _unreadable_lines(report: Json) -> Iterable[str]:
    """One line a fault, however many images have it."""
    if not report["unreadable"]:
        return
    items = report.get("items", "images")
    yield f"  unreadable {len(report['unreadable'])} {items}"
    for fault in report.get("unreadable_faults", ()):
        where = f"the first of task {fault['task']}"
        yield f"    {fault['images']:,} {items}, {where}: {escape(str(fault['reason']))}"


def _selection_lines(report: Json) -> Iterable[str]:
    """Report of a grouping or a suggestion, and where to see its result."""
    items = report.get("items", "images")
    if groups := report.get("groups"):
        largest = ", ".join(f"{group['name']} with {group['images']}" for group in groups[:3])
        yield f"  groups     {len(groups)}, the largest: {largest} {items}"
        yield "  see        the tab Groups; filter by 'Prediction model versions'"
    if picks := report.get("picks"):
        clusters = {pick["cluster"] for pick in picks}
        yield f"  picked     {len(picks)} {items} in {len(clusters)} clusters"
        yield f"  chosen by  {report['chosen_by']}"
        yield f"  see        the tab {TabTitle.NEXT_PICKS}"


def status_lines(status: StatusAndJobs) -> Iterable[RenderableType]:
    """Yield a project: readiness, images per label, version, last jobs."""
    yield f"[bold]{escape(status.project.title)}[/]  project {status.project.id}"
    verdict, *more = status.summary
    yield f"[{'green' if status.ready else 'red'}]{escape(verdict)}[/]"
    named = len(status.reasons) + bool(status.missing)
    yield from (f"  - {escape(reason)}" for reason in more[:named])
    yield _table(
        ("control", "label", status.items),
        ((row.control, row.label, str(row.images)) for row in status.labels),
    )
    yield from (escape(note) for note in more[len(more) - len(status.warnings) :])
    yield f"Current version: {status.version or 'none yet'}"
    if status.workforce:
        yield f"Workers: {escape(status.workforce.summary)}"
    if status.trigger:
        yield f"Automatic retraining: {escape(status.trigger)}"
    if forecast := newest_forecast(status.jobs):
        yield f"Forecast: {escape(forecast['reason'])}"
    yield from jobs_lines(status)


def newest_forecast(jobs: Sequence[JobJson]) -> Json | None:
    """Return the forecast of the newest job that made one; `jobs` are newest first."""
    reports = (job.report for job in jobs if job.report)
    return next((report["forecast"] for report in reports if report.get("forecast")), None)


def jobs_lines(body: JobsJson | StatusAndJobs) -> Iterable[RenderableType]:
    """Yield a table of jobs."""
    if not body.jobs:
        yield "No jobs yet. Start one with: autolabel label PROJECT"
        return
    yield _table(
        ("job", "project", "mode", "algorithm", "state", "progress", "reason"),
        (
            (
                job.id,
                str(job.project),
                job.mode,
                job.algorithm,
                job.state,
                f"{job.progress:.0%}",
                job.reason,
            )
            for job in body.jobs
        ),
    )


def versions_lines(body: VersionsJson) -> Iterable[RenderableType]:
    """Yield a table of model versions; a star marks the current one."""
    if not body.versions:
        yield f"{body.summary} Start it with: autolabel label PROJECT"
        return
    yield _table(
        ("", "version", "kind", "trained on", "quality", "created"),
        (
            (
                "*" if card.current else "",
                card.name,
                "+".join(dict.fromkeys(card.kinds.values())),
                f"{card.trained_on.get('images', '?')} {card.items}",
                card.summary,
                f"{card.created:%Y-%m-%d %H:%M}",
            )
            for card in body.versions
        ),
    )


def settings_lines(rows: Iterable[tuple[str, str, str]]) -> Iterable[RenderableType]:
    """Yield a table of settings."""
    yield _table(("setting", "value", "meaning"), rows)


def settings_markdown(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return the documentation page that lists all settings."""
    lines = [
        f"| `{name}` | {f'`{value}`' if value else 'none'} | {meaning} |"
        for name, value, meaning in rows
    ]
    return "\n".join([SETTINGS_PAGE, *lines, ""])


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def label_uses_lines(body: LabelUsesJson) -> Iterable[RenderableType]:
    """Yield a table of labels; those that no control has may be renamed to one that it has."""
    table = Table("label", "controls", "annotations", "drafts", "predictions", box=None)
    for use in body.labels:
        controls = ", ".join(use.controls) or "not in the labeling config"
        counts = (use.annotations, use.drafts, use.predictions)
        table.add_row(use.label, controls, *map(str, counts))
    yield table
