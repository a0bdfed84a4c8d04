"""What the templates show, worked out from the domain; pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.ids import ProjectId
from backend.domain.jobs import Job, JobState
from backend.domain.json import Json
from backend.domain.projects import LabelCount
from backend.presentation import sentences
from backend.web.console import formats
from backend.web.console.figures import objects


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
    for row in objects(report.get("hard_reasons")):
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
            headline=formats.STATES[job.state],
            step=_step(job),
            left=formats.time_left(job, now),
        )


def _step(job: Job) -> str:
    """What a job is at, what to do while it waits, or how it ended."""
    if job.state is JobState.QUEUED:
        return sentences.sentence(sentences.WAITS_LONG)
    if job.state.is_live:
        return sentences.capitalize_first(sentences.step(job))
    return sentences.sentence(job.reason) if job.reason else ""
