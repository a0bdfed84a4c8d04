"""Which event leads a job to which state."""

from dataclasses import replace

import pytest

from backend.domain.ids import VersionName
from backend.domain.job_events import (
    JobDone,
    JobFailed,
    JobProgressed,
    JobStarted,
    JobStopped,
    StopRequested,
    advance,
)
from backend.domain.jobs import JobState
from backend.domain.steps import Step
from tests.fakes.domain import NOW, a_job

PROGRESSED = JobProgressed(0.5, Step.TRAIN, "epoch 3 of 17")
STARTED, ASKED = JobStarted(), StopRequested("on request")
DONE, STOPPED, FAILED = JobDone("done"), JobStopped("stopped"), JobFailed("no disk")
QUEUED, RUNNING, STOPPING = JobState.QUEUED, JobState.RUNNING, JobState.STOPPING
ENDED = (JobState.FINISHED, JobState.FAILED, JobState.STOPPED)


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (QUEUED, STARTED, RUNNING),
        (RUNNING, STARTED, RUNNING),
        (STOPPING, STARTED, STOPPING),
        (QUEUED, ASKED, JobState.STOPPED),
        (RUNNING, ASKED, STOPPING),
        (STOPPING, ASKED, STOPPING),
        *((state, DONE, JobState.FINISHED) for state in (RUNNING, STOPPING)),
        *((state, STOPPED, JobState.STOPPED) for state in (RUNNING, STOPPING)),
        *((state, FAILED, JobState.FAILED) for state in (QUEUED, RUNNING, STOPPING)),
    ],
)
def test_an_event_leads_to_a_state(state, event, after):
    assert advance(a_job(state=state), event, NOW).state is after


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("event", [STARTED, PROGRESSED, ASKED, DONE, STOPPED, FAILED])
def test_a_job_that_ended_stays_as_it_is(state, event):
    job = a_job(state=state, reason="as it was")
    assert advance(job, event, NOW) is job


def test_an_event_that_changes_nothing_returns_the_very_job():
    job = a_job(state=RUNNING)
    assert advance(job, STARTED, NOW) is job


@pytest.mark.parametrize("state", [RUNNING, STOPPING])
def test_progress_names_the_step_and_leaves_the_state_as_it_is(state):
    job = advance(a_job(state=state), PROGRESSED, NOW)
    assert job == a_job(state=state, progress=0.5, step="train", detail="epoch 3 of 17")


def test_a_job_that_is_done_has_its_version_and_all_of_its_progress():
    job = advance(a_job(progress=0.6), JobDone("kept", VersionName("al-0001-3f9c")), NOW)
    assert (job.version, job.progress, job.reason, job.ended_at) == (
        "al-0001-3f9c",
        1.0,
        "kept",
        NOW,
    )


def test_a_job_that_broke_off_keeps_its_progress():
    job = replace(a_job(), progress=0.6)
    assert advance(job, FAILED, NOW).progress == 0.6


def test_a_job_that_is_stopping_says_why():
    assert advance(a_job(), ASKED, NOW).reason == "on request"
