"""Whatever the work does, the job ends in a state with a reason."""

import errno
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from backend.domain.errors import Stopped
from backend.domain.ids import JobId, ProjectId, TaskId, VersionName
from backend.domain.job_events import JobFailed
from backend.domain.jobs import Job, JobRequest, JobResult, JobState, Mode
from backend.domain.steps import Step
from backend.jobs.board import JobBoard
from backend.jobs.boundary import run
from backend.ports.progress import Steps, Work

RunOne = Callable[[Work], Job]


def done(**sections: object) -> JobResult:
    return JobResult("done", sections=sections)


@pytest.fixture
def board(redis_url: str, tmp_path: Path) -> JobBoard:
    return JobBoard(redis_url, tmp_path)


@pytest.fixture
def run_one(board: JobBoard) -> RunOne:
    def run_one(work: Work) -> Job:
        job, _ = board.submit(JobRequest(ProjectId(1)))
        run(board, job.id, work, {Step.TRAIN: 1})
        return board.get(job.id)

    return run_one


def test_the_report_has_the_version_and_the_reason(run_one: RunOne, tmp_path: Path):
    result = JobResult("kept the old one", VersionName("al-0001-3f9c"), 7, {"predicted": 9})
    job = run_one(lambda _job, _steps: result)
    assert (job.state, job.version, job.reason) == (
        JobState.FINISHED,
        "al-0001-3f9c",
        "kept the old one",
    )
    path = tmp_path / "projects" / "1" / "jobs" / job.id / "report.json"
    assert json.loads(path.read_text()) == {
        "job": job.id,
        "project": 1,
        "mode": "active-learning",
        "algorithm": "fast",
        "version": "al-0001-3f9c",
        "reason": "kept the old one",
        "accepted": 7,
        "predicted": 9,
    }


def test_a_number_that_could_not_be_measured_is_null_in_the_report(run_one: RunOne):
    job = run_one(lambda _job, _steps: done(metrics={"map50": math.nan}))
    assert job.report
    assert job.report["metrics"] == {"map50": None}


def test_a_full_disk_is_named(run_one: RunOne):
    def work(_job: Job, _steps: Steps) -> JobResult:
        raise OSError(errno.ENOSPC, "No space left on device")

    job = run_one(work)
    assert job.state is JobState.FAILED
    assert job.reason.startswith("the disk is full")


def test_work_that_stops_by_itself_is_stopped(run_one: RunOne):
    def work(_job: Job, _steps: Steps) -> JobResult:
        raise Stopped

    job = run_one(work)
    assert (job.state, job.reason) == (JobState.STOPPED, "stopped on request")


def test_a_report_that_is_no_json_fails_the_job_and_not_the_worker(run_one: RunOne):
    job = run_one(lambda _job, _steps: done(model=object()))
    assert job.state is JobState.FAILED
    assert job.reason.startswith("internal error")


def test_work_whose_record_is_lost_does_not_go_on(board: JobBoard, redis_url: str, run_one: RunOne):
    reached = []

    def work(_job: Job, steps: Steps) -> JobResult:
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        steps.progress(Step.TRAIN, 1, 2)
        reached.append("the end")
        return done()

    job = run_one(work)
    assert job.state is JobState.FAILED
    assert "Redis lost this job" in job.reason
    assert reached == []


def test_a_job_that_ends_while_redis_is_away_is_remembered_by_the_disk(
    run_one: RunOne, redis_url: str
):
    def work(_job: Job, _steps: Steps) -> JobResult:
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        return done(predicted=3)

    job = run_one(work)
    assert job.state is JobState.FINISHED
    assert job.report
    assert job.report["predicted"] == 3


def test_a_folder_that_cannot_be_written_costs_the_history_and_nothing_else(
    board: JobBoard, tmp_path: Path
):
    (tmp_path / "projects").write_text("where a folder should be")
    job, is_new = board.submit(JobRequest(ProjectId(1)))
    assert is_new
    assert board.live(ProjectId(1)) == job
    started = board.start(job.id)
    assert started
    board.end(started, JobFailed("no room for results"))
    assert board.get(job.id).reason == "no room for results"
    assert board.history() == []


def test_a_report_is_not_read_where_nobody_asked_for_it(board: JobBoard, run_one: RunOne):
    run_one(lambda _job, _steps: done(predicted=3))
    assert all(job.report for job in board.history())
    assert [job.report for job in board.history(reports=False)] == [None]


@pytest.mark.parametrize("left", [b"", b'{"predicted": ', b"[]", b"3", b"\xff"])
def test_a_report_that_is_no_report_is_left_out(
    board: JobBoard, run_one: RunOne, tmp_path: Path, left: bytes
):
    job = run_one(lambda _job, _steps: done(predicted=3))
    (tmp_path / "projects" / "1" / "jobs" / job.id / "report.json").write_bytes(left)
    assert [(one.state, one.report) for one in board.history()] == [(JobState.FINISHED, None)]


CHOSEN = tuple(TaskId(task) for task in range(1, 150_001))


@pytest.fixture
def limited(board: JobBoard) -> Job:
    """A queued job that is limited to many tasks."""
    return board.submit(JobRequest(ProjectId(1), task_ids=CHOSEN))[0]


def test_the_work_gets_the_chosen_tasks_which_make_nothing_else_large(
    board: JobBoard, limited: Job, redis_url: str, tmp_path: Path
):
    (card,) = tmp_path.glob("projects/1/jobs/*/job.json")
    assert card.stat().st_size < 2000
    with redis.Redis.from_url(redis_url) as connection:
        sizes = [connection.memory_usage(key) or 0 for key in connection.scan_iter()]
    assert max(sizes) < 10_000
    worked: list[tuple[TaskId, ...]] = []

    def work(job: Job, _steps: Steps) -> JobResult:
        worked.append(job.request.task_ids)
        return done()

    run(board, limited.id, work)
    assert worked == [CHOSEN]


@pytest.mark.parametrize("content", [None, "[1, 2", "[1, 2]"])
def test_a_job_whose_list_is_lost_fails_instead_of_taking_all_tasks(
    board: JobBoard, limited: Job, tmp_path: Path, content: str | None
):
    (listed,) = tmp_path.glob("projects/1/jobs/*/tasks.json")
    listed.unlink() if content is None else listed.write_text(content)
    run(board, limited.id, lambda _job, _steps: pytest.fail("it must not start"))
    ended = board.get(limited.id)
    assert ended.state is JobState.FAILED
    assert "task" in ended.reason


def test_jobs_that_were_not_queued_leave_no_list(board: JobBoard, tmp_path: Path):
    request = JobRequest(ProjectId(1), task_ids=CHOSEN[:10])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: board.submit(request), range(16)))
    (queued,) = {job.id for job, is_new in answers if is_new}
    assert [folder.name for folder in tmp_path.glob("projects/*/jobs/*")] == [queued]


def test_the_progress_of_an_undo_is_that_of_its_only_step(board: JobBoard):
    job, _ = board.submit(JobRequest(ProjectId(1), Mode.UNDO, undoes=JobId("job-1")))
    seen = []

    def work(_job: Job, steps: Steps) -> JobResult:
        steps.progress(Step.UNDO, 1, 4)
        seen.append(board.get(job.id).progress)
        return done()

    run(board, job.id, work)
    assert seen == [0.25]
    assert board.get(job.id).progress == 1
