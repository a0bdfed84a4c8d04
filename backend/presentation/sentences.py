"""Sentences about projects and jobs, shared by the page, the dialog and the command line."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from backend.domain.errors import Reason
from backend.domain.items import ItemKind
from backend.domain.jobs import Job, JobState
from backend.domain.projects import LabelCount, ProjectStatus
from backend.domain.steps import Step
from backend.domain.tab_titles import TabTitle

LABELS_SHOWN = 30

NO_VERSION = (
    "No model version yet: the first active-learning job creates one, or pre-labeling imports one."
)
NOT_STARTED = "The job was not started"
WAITING = "A job is waiting for a worker."
WAITS_LONG = "If it keeps waiting, check the installation with: autolabel doctor"


def sentences(status: ProjectStatus) -> tuple[str, ...]:
    """Return the verdict or the running job, every reason, label counts and warnings."""
    return (
        doing(status.job) if status.job else verdict(status),
        *(reason.text for reason in status.reasons),
        *([missing(status)] if status.missing else ()),
        *_counts(status.labels, status.items),
        *(sentence(f"Note: {warning}") for warning in status.warnings),
    )


def verdict(status: ProjectStatus) -> str:
    """Return whether a job may start."""
    head = "Ready to start" if status.ready else "Not ready yet"
    items = status.items.plural
    return f"{head}: {status.labeled:,} labeled, {status.unlabeled:,} unlabeled {items}."


def refusal(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Return every reason why a job was not started, with its hint."""
    return (f"{NOT_STARTED}:", *(reason.text for reason in reasons))


def first_labels(status: ProjectStatus, *, by_itself: bool) -> tuple[str, ...]:
    """Return what is missing until the first training, and how to choose what to label."""
    if status.ready or status.version:
        return ()
    start, project = "starts by itself" if by_itself else "can start", status.project.id
    items = status.items.plural
    wall = f"A worker lists typical {items} to label first in the tab '{TabTitle.NEXT_PICKS}'"
    if not status.unlabeled:
        wall = (
            f"Once there are {items}, autolabel connect {project} again lists typical ones to "
            f"label first in the tab '{TabTitle.NEXT_PICKS}'"
        )
    return (
        f"The first training {start} as soon as this is done:",
        *(f"  {reason.text}" for reason in status.reasons),
        *([f"  {missing(status)}"] if status.missing else ()),
        wall,
    )


def missing(status: ProjectStatus) -> str:
    """Return how many labeled images a training still needs; '' if enough are there."""
    if not status.missing:
        return ""
    one, several = status.items.noun, status.items.plural
    some = f"{status.missing} labeled {several} are"
    images = f"1 labeled {one} is" if status.missing == 1 else some
    which = "next" if status.version else "first"
    return f"At least {images} missing until the {which} training."


def capitalize_first(words: str) -> str:
    """Capitalize the first letter, except in words such as `mAP`."""
    return words if words[1:2].isupper() else words[:1].upper() + words[1:]


def sentence(text: str) -> str:
    """Make the text a sentence; a field name at its start keeps its case."""
    begin = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return begin + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def doing(job: Job) -> str:
    """Describe the progress of a job, or how it ended."""
    match job.state:
        case JobState.QUEUED:
            return f"{WAITING} {WAITS_LONG}"
        case JobState.RUNNING:
            started = " that started by itself" if job.request.by_itself else ""
            return f"A job{started} is running: {step(job)}, {job.progress:.0%} done."
        case JobState.STOPPING:
            return f"A job is stopping at {job.progress:.0%}."
        case _:
            reason = f": {job.reason}" if job.reason else ""
            started = ", which started by itself," if job.request.by_itself else ""
            return sentence(f"The last job{started} {job.state.value}{reason}")


def step(job: Job) -> str:
    """Name the step of a job as part of a sentence: `training: epoch 3 of 17`."""
    if not job.step:
        return "starting"
    doing = Step(job.step).doing if job.step in set(Step) else job.step
    return f"{doing}: {job.detail}" if job.detail else doing


def _counts(counts: Sequence[LabelCount], items: ItemKind) -> Iterable[str]:
    """`Images per label: cat: 12, dog: 3`, one line per control."""
    by_control = {
        control: list(rows) for control, rows in groupby(counts, key=lambda count: count.control)
    }
    for control, rows in by_control.items():
        shown = ", ".join(f"{row.label}: {row.images:,}" for row in rows[:LABELS_SHOWN])
        more = len(rows) - LABELS_SHOWN
        where = f" of '{control}'" if len(by_control) > 1 else ""
        others = f" and {more} more labels" if more > 0 else ""
        yield f"{items.plural.capitalize()} per label{where}: {shown}{others}"
