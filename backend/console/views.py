"""What the templates show, worked out from the domain; pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from backend import quality, summary
from backend.console import words
from backend.domain import Job, JobState, LabelCount, ProjectId

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: `length` and `mark` in percent of the chart's width."""

    name: str
    value: int
    length: float
    mark: float | None = None
    enough: bool = True
    group: str = ""


def label_bars(counts: Sequence[LabelCount], needed: int) -> list[Bar]:
    """Images per label against the minimum, in the labeling config's order.

    A label that nobody used yet is not short of images: it is left out of the training.
    """
    longest = max([needed, *(count.images for count in counts)])
    several = len({count.control for count in counts}) > 1
    return [
        Bar(
            name=count.label,
            value=count.images,
            length=100 * count.images / longest,
            mark=100 * needed / longest,
            enough=count.images >= needed or not count.images,
            group=count.control if several else "",
        )
        for count in counts
    ]


def reason_bars(report: Json) -> list[Bar]:
    """How often each reason made an image hard, most frequent first."""
    tally: Counter[str] = Counter()
    for row in _rows(report.get("hard_reasons")):
        tally[str(row["words"])] += row["images"]
    most = max(tally.values(), default=1)
    return [Bar(name, number, 100 * number / most) for name, number in tally.most_common(12)]


@dataclass(frozen=True, slots=True)
class Moving:
    """A job as the page follows it; `of` is what the server-sent events carry."""

    id: str
    project: ProjectId
    state: str
    live: bool
    percent: int
    headline: str
    step: str
    left: str

    @classmethod
    def of(cls, job: Job, now: datetime) -> "Moving":
        return cls(
            id=job.id,
            project=job.request.project,
            state=job.state.value,
            live=job.state.is_live,
            percent=int(100 * job.progress),
            headline=words.STATES[job.state],
            step=_step(job),
            left=words.time_left(job, now),
        )


def _step(job: Job) -> str:
    """What a job is at, what to do while it waits, or how it ended."""
    if job.state is JobState.QUEUED:
        return summary.sentence(summary.WAITS_LONG)
    if job.state.is_live:
        return summary.begun(summary.step(job))
    return summary.sentence(job.because) if job.because else ""


def per_label(report: Json) -> tuple[list[str], list[list[str]]]:
    """The per-class table of a report: column heads and rows, with the label in front."""
    rows = _rows(report.get("per_class")) or _rows(report.get("labels"))
    first: Json = rows[0] if rows else {}
    keys = [key for key in first if key not in {"label", "control"}]
    table = [[str(row["label"]), *(_cell(row.get(key), key) for key in keys)] for row in rows]
    return [quality.metric_name(key) for key in keys], table


def tried(report: Json) -> list[str]:
    """What a training tried besides the usual, and what became of it, a sentence each."""
    notes = cast(Mapping[str, Json], report.get("notes") or {})
    entries = [entry for about in notes.values() for entry in _rows(about.get("tried"))]
    return [_attempt(entry) for entry in entries]


def _attempt(entry: Json) -> str:
    figures = [
        f"{name.replace('_', ' ')} {quality.metric_value(value, name)}"
        for name, value in entry.items()
        if isinstance(value, float)
    ]
    outcome = "kept" if entry.get("kept") else "not kept"
    because = f" ({entry['because']})" if entry.get("because") else ""
    return f"{entry['name']}: {', '.join([*figures, outcome])}{because}"


def _cell(value: object, name: str) -> str:
    match value:
        case int():
            return words.count(value)
        case float():
            return quality.metric_value(value, name)
        case None:
            return "not measured"
        case _:
            return str(value)


def _rows(value: object) -> list[Json]:
    """The objects of a JSON list; none where it is no list, or a list of something else."""
    items = cast(list[object], value) if isinstance(value, list) else []
    return [cast(Json, item) for item in items if isinstance(item, dict)]
