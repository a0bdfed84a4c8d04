"""Values that the templates show, computed from jobs, reports and label counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from backend.domain.ids import ProjectId
from backend.domain.jobs import Job, JobState
from backend.domain.json import Json
from backend.domain.projects import LabelCount
from backend.presentation import metrics, sentences
from backend.web.console import formats


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart; `length` and `mark` are percentages of its width."""

    name: str
    value: int
    length: float
    mark: float | None = None
    enough: bool = True
    group: str = ""


def label_bars(counts: Sequence[LabelCount], needed: int) -> list[Bar]:
    """Compare the images per label with the minimum, in the order of the labeling config.

    An unused label is not short of images: training leaves it out.
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
    """Count the hard examples by reason, most frequent first."""
    tally: Counter[str] = Counter()
    for row in objects(report.get("hard_reasons")):
        tally[str(row["words"])] += row["images"]
    most = max(tally.values(), default=1)
    return [Bar(name, number, 100 * number / most) for name, number in tally.most_common(12)]


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Metrics of the labels of one control; each row begins with the label."""

    control: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def label_tables(report: Json) -> list[LabelTable]:
    """Return the metrics of each label, or else the number of images, or texts, with it."""
    rows = objects(report.get("per_class")) or objects(report.get("labels"))
    by_control: dict[str, list[Json]] = {}
    for row in rows:
        by_control.setdefault(str(row.get("control", "")), []).append(row)
    several = len(by_control) > 1
    items = str(report.get("items", "images"))
    return [_table(name if several else "", own, items) for name, own in by_control.items()]


def _table(control: str, rows: Sequence[Json], items: str) -> LabelTable:
    keys = dict.fromkeys(key for row in rows for key in row if key not in {"label", "control"})
    cells = [[str(row["label"]), *(_cell(row.get(key), key) for key in keys)] for row in rows]
    heads = [items.capitalize() if key == "images" else metrics.metric_name(key) for key in keys]
    return LabelTable(control, heads, cells)


def _cell(value: object, name: str) -> str:
    match value:
        case int():
            return formats.count(value)
        case float():
            return metrics.metric_value(value, name)
        case None:
            return "not measured"
        case _:
            return str(value)


def tried(report: Json) -> list[str]:
    """Return the variants that a training tried, with their metrics and whether they were kept."""
    notes = cast(Mapping[str, Json], report.get("notes") or {})
    entries = [entry for about in notes.values() for entry in objects(about.get("tried"))]
    return [_attempt(entry) for entry in entries]


def _attempt(entry: Json) -> str:
    figures = [
        f"{name.replace('_', ' ')} {metrics.metric_value(value, name)}"
        for name, value in entry.items()
        if isinstance(value, float)
    ]
    outcome = "kept" if entry.get("kept") else "not kept"
    reason = f" ({entry['reason']})" if entry.get("reason") else ""
    return f"{entry['name']}: {', '.join([*figures, outcome])}{reason}"


def objects(value: object) -> list[Json]:
    """Return the objects in a JSON list; an empty list for anything else."""
    items = cast(list[object], value) if isinstance(value, list) else []
    return [cast(Json, item) for item in items if isinstance(item, dict)]


@dataclass(frozen=True, slots=True)
class LiveJob:
    """The changing part of a job on the page; also the payload of server-sent events."""

    id: str
    project: ProjectId
    state: str
    live: bool
    percent: int
    headline: str
    step: str
    left: str

    @classmethod
    def of(cls, job: Job, now: datetime) -> "LiveJob":
        return cls(
            id=job.id,
            project=job.request.project,
            state=job.state.value,
            live=job.state.is_live,
            percent=int(100 * job.progress),
            headline=formats.STATES[job.state],
            step=_step(job),
            left=formats.time_left(job, now),
        )


def _step(job: Job) -> str:
    """Return the current step, what to do while waiting, or how the job ended."""
    if job.state is JobState.QUEUED:
        return sentences.sentence(sentences.WAITS_LONG)
    if job.state.is_live:
        return sentences.capitalize_first(sentences.step(job))
    return sentences.sentence(job.reason) if job.reason else ""
