"""How a job ends whose worker died."""

from backend.domain.job_events import JobFailed, JobStopped
from backend.domain.jobs import JobState
from backend.jobs.lease import CRASHED, death
from tests.fakes.domain import a_job


def test_a_job_whose_worker_died_has_failed():
    assert death(a_job(), CRASHED) == JobFailed("the worker process crashed; start the job again")


def test_a_job_that_was_asked_to_stop_is_stopped_by_the_death_of_its_worker():
    stopping = a_job(state=JobState.STOPPING, reason="stopped on request")
    assert death(stopping, "killed") == JobStopped("stopped on request; killed")
