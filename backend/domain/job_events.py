"""Events in the life of a job, and the state that each leads to.

    queued ── JobStarted ──▶ running ── JobDone ──▶ finished
      │                        │ ├───── JobFailed ─▶ failed
      │                  StopRequested
      │                        ▼
      └── StopRequested ─▶  stopping ── JobStopped ─▶ stopped

A queued job that is asked to stop is stopped at once. A job that is stopping may also finish or
fail: the work notices the request only at its next report of progress.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from backend.domain.ids import VersionName
from backend.domain.jobs import Job, JobState
from backend.domain.steps import Step


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A worker took the job off the queue."""


@dataclass(frozen=True, slots=True)
class JobProgressed:
    """The work is at `step`; `share` of the whole job is done, from 0 to 1.

    `detail` says more about the step: `epoch 3 of 17`.
    """

    share: float
    step: Step
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Someone asked the job to stop."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobDone:
    """The work came to its end; `version` is the one that it made or used."""

    reason: str
    version: VersionName | None = None


@dataclass(frozen=True, slots=True)
class JobStopped:
    """The work ended because it was asked to."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The work broke off, or its worker died."""

    reason: str


JobEnd = JobDone | JobStopped | JobFailed
JobEvent = JobStarted | JobProgressed | StopRequested | JobEnd


def advance(job: Job, event: JobEvent, now: datetime) -> Job:
    """Return the job after an event; one that does not fit the job's state changes nothing."""
    if not job.state.is_live:
        return job
    match event:
        case JobStarted():
            is_next = job.state is JobState.QUEUED
            return replace(job, state=JobState.RUNNING, started_at=now) if is_next else job
        case JobProgressed(share, step, detail):
            return replace(job, progress=share, step=step.value, detail=detail)
        case StopRequested(reason):
            return _asked_to_stop(job, reason, now)
        case JobDone(reason, version):
            job, state = replace(job, progress=1.0, version=version), JobState.FINISHED
        case JobStopped(reason):
            state = JobState.STOPPED
        case JobFailed(reason):  # pragma: no branch - the last of all events
            state = JobState.FAILED
    return _ended(job, state, reason, now)


def _asked_to_stop(job: Job, reason: str, now: datetime) -> Job:
    if job.state is JobState.QUEUED:
        return _ended(job, JobState.STOPPED, reason, now)
    if job.state is JobState.RUNNING:
        return replace(job, state=JobState.STOPPING, reason=reason)
    return job


def _ended(job: Job, state: JobState, reason: str, now: datetime) -> Job:
    return replace(job, state=state, reason=reason, ended_at=now)
