"""Where a project stands, in the sentences that every face shows."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from backend.domain import Job, JobState, LabelCount, ProjectStatus

LABELS_SHOWN = 30


def sentences(status: ProjectStatus) -> tuple[str, ...]:
    """The verdict, every reason, the images of each label, and what a person should know."""
    return (
        _verdict(status),
        *(reason.message for reason in status.reasons),
        *_counts(status.labels),
        *(f"Note: {warning}" for warning in status.warnings),
    )


def doing(job: Job) -> str:
    """How far a job is, or how it ended."""
    match job.state:
        case JobState.QUEUED:
            return "A job waits for a worker."
        case JobState.RUNNING:
            return f"A job is running: {job.step or 'starting'}, {job.progress:.0%} done."
        case JobState.STOPPING:
            return f"A job is stopping at {job.progress:.0%}."
        case _:
            return f"The last job {job.state.value}" + (f": {job.because}" if job.because else ".")


def _verdict(status: ProjectStatus) -> str:
    if status.job:
        return doing(status.job)
    head = "Ready to start" if status.ready else "Not ready yet"
    return f"{head}: {status.labeled:,} labeled, {status.unlabeled:,} unlabeled images."


def _counts(counts: Sequence[LabelCount]) -> Iterable[str]:
    """`Images per label: cat: 12, dog: 3`, a line a control."""
    by_control = {
        control: list(rows) for control, rows in groupby(counts, key=lambda count: count.control)
    }
    for control, rows in by_control.items():
        shown = ", ".join(f"{row.label}: {row.images:,}" for row in rows[:LABELS_SHOWN])
        more = len(rows) - LABELS_SHOWN
        where = f" of '{control}'" if len(by_control) > 1 else ""
        yield f"Images per label{where}: {shown}" + (f" and {more} labels more" if more > 0 else "")
