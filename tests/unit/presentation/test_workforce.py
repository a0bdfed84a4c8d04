"""Workers and queues in words."""

from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import WorkerQueue
from backend.domain.workers import WorkerActivity, Workforce
from backend.presentation.workforce import WorkforceJson, summary

ALL = frozenset(WorkerQueue)
JOB, PROJECT = JobId("job-1"), ProjectId(3)
IDLE = WorkerActivity("a", ALL)


def test_each_worker_is_told_with_what_it_does():
    workers = (
        WorkerActivity("a", ALL, WorkerQueue.JOBS, PROJECT, JOB),
        WorkerActivity("b", ALL, WorkerQueue.SHARDS, PROJECT, JOB),
        WorkerActivity("c", ALL, WorkerQueue.IDLE, PROJECT),
        IDLE,
    )
    found = WorkforceJson.of(
        Workforce(workers, {WorkerQueue.JOBS: 2, WorkerQueue.SHARDS: 0, WorkerQueue.IDLE: 1})
    )
    assert found.summary == (
        "4 workers (job-1 of project 3, helps with job-1 of project 3,"
        " cleaning up or embedding ahead in project 3, idle); 2 jobs and 1 background task wait"
    )
    assert [one.doing for one in found.workers] == ["jobs", "shards", "idle-work", "idle"]
    assert (found.jobs_waiting, found.shards_waiting, found.idle_work_waiting) == (2, 0, 1)


def test_one_idle_worker_is_told_in_the_singular():
    assert summary(Workforce((IDLE,))) == "1 worker (idle); nothing waits"
    assert summary(Workforce((IDLE,), {WorkerQueue.JOBS: 1})) == "1 worker (idle); 1 job waits"


def test_where_no_worker_takes_jobs_it_says_what_to_do():
    helper = WorkerActivity("b", frozenset({WorkerQueue.SHARDS}))
    found = summary(Workforce((helper,), {WorkerQueue.JOBS: 1}))
    assert found.startswith("no worker takes jobs; 1 job waits. Run `autolabel up`")
    assert "AUTOLABEL_QUEUES" in found
