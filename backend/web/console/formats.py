"""Format numbers, times and states; filters of the templates."""

from datetime import datetime, timedelta

from backend.domain.jobs import Job, JobRequest, JobState, Mode

MODES = {
    "active-learning": "Active learning",
    "pre-labeling": "Pre-labeling",
    "auto-grouping": "Auto grouping",
    "suggesting": "Label next",
    "auditing": "Audit",
    "undo": "Undo",
    "relabeling": "Labels",
}

STATES = {
    JobState.QUEUED: "Waiting for a worker",
    JobState.RUNNING: "Running",
    JobState.STOPPING: "Stopping",
    JobState.FINISHED: "Finished",
    JobState.FAILED: "Failed",
    JobState.STOPPED: "Stopped",
}

MIN_PROGRESS = 0.03
"""Progress from which on the remaining time is estimated."""


def job_title(request: JobRequest) -> str:
    """`Active learning, fast`; other modes have no algorithm."""
    title = MODES[request.mode.value]
    if request.undoes:
        return f"{title} of {request.undoes}"
    if request.edit:
        return f"{title}: {request.edit.words}"
    learns = request.mode is Mode.ACTIVE_LEARNING
    by_itself = ", started by itself" if request.by_itself else ""
    return f"{title}, {request.algorithm.value}{by_itself}" if learns else f"{title}{by_itself}"


def percent(share: float) -> str:
    return f"{share:.0%}"


def count(number: int) -> str:
    return f"{number:,}"


def duration(seconds: float) -> str:
    """`8 s`, `2 min 5 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def time_left(job: Job, now: datetime) -> str:
    """Estimate the remaining time of a running job by linear extrapolation."""
    if job.started_at is None or job.progress < MIN_PROGRESS or not job.state.is_live:
        return ""
    spent = (now - job.started_at).total_seconds()
    left = spent * (1 - job.progress) / job.progress
    if left < 10:
        return "a few seconds left"
    if left < 60:
        return f"about {round(left / 10) * 10} s left"
    return f"about {duration(round(left / 60) * 60)} left"


def took(job: Job) -> str:
    """Return the duration of a job that ended."""
    if job.started_at is None or job.ended_at is None:
        return ""
    return duration((job.ended_at - job.started_at) / timedelta(seconds=1))
