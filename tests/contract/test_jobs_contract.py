"""What every implementation of ports.Jobs does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.errors import NotFound
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.jobs import JobRequest, JobState
from backend.jobs.board import JobBoard
from backend.ports.jobs import Jobs
from tests.fakes.jobs import FakeJobs

PETS, CARS = JobRequest(ProjectId(1)), JobRequest(ProjectId(2))


@pytest.fixture(params=["fake", "redis"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Jobs:
    if request.param == "fake":
        return FakeJobs()
    return JobBoard(request.getfixturevalue("redis_url"), tmp_path)


@pytest.fixture
def start(jobs: Jobs) -> Callable[[JobId], object]:
    """What a worker does when it takes a job."""
    if isinstance(jobs, JobBoard):

        def take(job: JobId) -> None:
            jobs.leases.renew(job)
            jobs.start(job)

        return take
    assert isinstance(jobs, FakeJobs)
    return jobs.start


def test_a_second_start_joins_the_live_job_of_the_project(jobs: Jobs):
    first, is_new = jobs.submit(PETS)
    assert is_new
    assert first.state is JobState.QUEUED
    assert jobs.submit(PETS) == (first, False)


def test_another_project_gets_a_job_of_its_own(jobs: Jobs):
    pets, _ = jobs.submit(PETS)
    cars, is_new = jobs.submit(CARS)
    assert is_new
    assert cars.id != pets.id
    assert jobs.live(ProjectId(1)) == pets
    assert jobs.live(ProjectId(2)) == cars


def test_a_project_without_a_job_has_none_live(jobs: Jobs):
    assert jobs.live(ProjectId(9)) is None
    assert list(jobs.history(ProjectId(9))) == []


def test_an_unknown_job_is_not_found(jobs: Jobs):
    with pytest.raises(NotFound):
        jobs.get(JobId("job-20261121-081530-ffff"))
    with pytest.raises(NotFound):
        jobs.stop(JobId("../../etc"))


def test_a_queued_job_stops_at_once_and_says_why(jobs: Jobs):
    job, _ = jobs.submit(PETS)
    stopped = jobs.stop(job.id)
    assert stopped.state is JobState.STOPPED
    assert stopped.reason == "stopped on request"
    assert stopped.ended_at is not None
    assert jobs.live(ProjectId(1)) is None


def test_after_a_job_ended_the_next_start_is_a_new_job(jobs: Jobs):
    first, _ = jobs.submit(PETS)
    jobs.stop(first.id)
    second, is_new = jobs.submit(PETS)
    assert is_new
    assert second.id != first.id


def test_a_running_job_is_asked_to_stop(jobs: Jobs, start: Callable[[JobId], object]):
    job, _ = jobs.submit(PETS)
    start(job.id)
    assert jobs.get(job.id).state is JobState.RUNNING
    assert jobs.stop(job.id).state is JobState.STOPPING
    assert jobs.stop(job.id).state is JobState.STOPPING
    assert jobs.submit(PETS)[1] is False


def test_stopping_a_job_that_ended_changes_nothing(jobs: Jobs):
    job, _ = jobs.submit(PETS)
    ended = jobs.stop(job.id)
    assert jobs.stop(job.id) == ended


def test_history_is_newest_first_and_bounded(jobs: Jobs):
    ids = []
    for _ in range(3):
        job, _ = jobs.submit(PETS)
        jobs.stop(job.id)
        ids.append(job.id)
    other, _ = jobs.submit(CARS)
    assert [job.id for job in jobs.history(ProjectId(1))] == ids[::-1]
    assert [job.id for job in jobs.history(limit=2)] == [other.id, ids[-1]]


def test_chosen_tasks_are_counted_and_not_carried_around(jobs: Jobs):
    chosen = tuple(TaskId(task) for task in range(1, 200_001))
    job, is_new = jobs.submit(replace(PETS, task_ids=chosen))
    assert is_new
    assert (job.chosen, job.request) == (200_000, PETS)
    assert jobs.get(job.id) == job
    assert [one.chosen for one in jobs.history()] == [200_000]
    assert jobs.submit(PETS) == (job, False)
