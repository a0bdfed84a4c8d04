"""The whole life of a job: a real Redis, real RQ workers, and what kills them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import redis
import rq
from rq.exceptions import StopRequested

from backend.domain.errors import AutolabelError
from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobRequest, JobState
from backend.domain.shards import WorkerQueue
from backend.jobs.board import JobBoard
from backend.jobs.workforce import WorkerWatch
from backend.processes.embedded_redis import EmbeddedRedis
from backend.processes.worker import JobWorker, Pace, run_worker
from backend.services.resuming.restarting import Restarting
from backend.settings import Settings
from backend.stores.jobs import JobFiles
from backend.stores.unfinished import UnfinishedJobFiles
from tests.integration import job_worker
from tests.integration.polling import eventually, lives

Worker = subprocess.Popen[str]


@pytest.fixture
def board(redis_url: str, tmp_path: Path) -> JobBoard:
    return job_worker.board(redis_url, tmp_path)


@pytest.fixture
def start_worker(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(url: str = redis_url) -> Worker:
        under_test = {"REDIS_URL_UNDER_TEST": url, "DATA_DIR_UNDER_TEST": str(tmp_path)}
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.job_worker"],
            env=os.environ | under_test,
            stdout=(tmp_path / "worker.log").open("a"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def submitted(board: JobBoard, project: int) -> Job:
    return board.submit(JobRequest(ProjectId(project)))[0]


def in_state(board: JobBoard, job: Job, *states: JobState) -> Job:
    def look() -> Job | None:
        found = board.get(job.id)
        return found if found.state in states else None

    return eventually(look)


def ended(board: JobBoard, job: Job) -> Job:
    return in_state(board, job, JobState.FINISHED, JobState.FAILED, JobState.STOPPED)


def horse_of(data_dir: Path) -> int:
    return int((data_dir / "horse.pid").read_text())


def test_a_job_runs_and_leaves_its_report(board: JobBoard, start_worker: Callable[[], Worker]):
    start_worker()
    job = ended(board, submitted(board, job_worker.FINISHES))
    assert job.state is JobState.FINISHED
    assert job.reason == "done"
    assert job.progress == 1
    assert job.version == "al-0001-3f9c"
    assert job.started_at is not None
    assert job.ended_at is not None
    report = board.get(job.id).report
    assert report
    assert (report["version"], report["predicted"], report["torch"]) == ("al-0001-3f9c", 12, False)
    assert board.live(ProjectId(job_worker.FINISHES)) is None


def test_other_projects_wait_behind_the_running_job(
    board: JobBoard, start_worker: Callable[[], Worker]
):
    first = submitted(board, job_worker.WAITS)
    second = submitted(board, job_worker.FINISHES)
    start_worker()
    in_state(board, first, JobState.RUNNING)
    assert board.get(second.id).state is JobState.QUEUED
    board.stop(first.id)
    assert ended(board, second).state is JobState.FINISHED


def test_what_workers_do_and_what_waits_is_told(
    board: JobBoard, start_worker: Callable[[], Worker], redis_url: str, tmp_path: Path
):
    look = WorkerWatch(redis_url, tmp_path).look
    # given a job and an idle work, and no worker
    job = submitted(board, job_worker.WAITS)
    job_worker.cleanup_queue(redis_url, tmp_path).request(ProjectId(9))
    assert look().is_missed
    # when a worker comes
    start_worker()
    in_state(board, job, JobState.RUNNING)
    second = submitted(board, job_worker.FINISHES)
    # then it is told with its job, and what waits
    (busy,) = look().workers
    assert (busy.doing, busy.project, busy.job) == (WorkerQueue.JOBS, job_worker.WAITS, job.id)
    assert look().waiting == {WorkerQueue.JOBS: 1, WorkerQueue.SHARDS: 0, WorkerQueue.IDLE: 1}
    assert not look().is_missed
    # and that it is idle once all is done
    board.stop(job.id)
    ended(board, second)
    eventually(lambda: not any(look().waiting.values()) and look().workers[0].doing is None)


def test_twenty_starts_at_once_make_one_job(board: JobBoard):
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(board.submit, [JobRequest(ProjectId(1))] * 20))
    assert len({job.id for job, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    assert len(board.history()) == 1


def test_a_running_job_stops_at_its_next_report(
    board: JobBoard, start_worker: Callable[[], Worker]
):
    job = submitted(board, job_worker.WAITS)
    start_worker()
    running = in_state(board, job, JobState.RUNNING)
    eventually(lambda: board.get(job.id).progress > running.progress)
    assert board.stop(job.id).state is JobState.STOPPING
    stopped = ended(board, job)
    assert stopped.state is JobState.STOPPED
    assert stopped.reason == "stopped on request"


def test_a_job_that_does_not_react_is_killed(board: JobBoard, start_worker: Callable[[], Worker]):
    job = submitted(board, job_worker.IGNORES_STOP)
    start_worker()
    eventually(lambda: board.get(job.id).progress > 0)
    board.stop(job.id)
    stopped = ended(board, job)
    assert stopped.state is JobState.STOPPED
    assert "did not react within 5 s" in stopped.reason


def test_our_own_errors_become_the_reason(board: JobBoard, start_worker: Callable[[], Worker]):
    start_worker()
    job = ended(board, submitted(board, job_worker.HAS_NO_WEIGHTS))
    assert job.state is JobState.FAILED
    assert job.reason == "yolo11n.pt is not here. Put it into weights/"


def test_the_message_of_an_unexpected_error_is_in_the_log_only(
    board: JobBoard, start_worker: Callable[[], Worker], tmp_path: Path
):
    start_worker()
    job = ended(board, submitted(board, job_worker.CRASHES))
    assert job.state is JobState.FAILED
    assert job.reason.startswith("internal error ")
    assert "secret" not in job.reason
    incident = job.reason.split()[2].rstrip(",")
    log = (tmp_path / "worker.log").read_text()
    assert incident in log
    assert "a secret detail" in log


def test_a_killed_work_horse_fails_its_job_and_the_next_one_runs(
    board: JobBoard, start_worker: Callable[[], Worker]
):
    start_worker()
    job = ended(board, submitted(board, job_worker.IS_KILLED))
    assert job.state is JobState.FAILED
    assert "killed by signal 9" in job.reason
    assert "out of memory" in job.reason
    assert ended(board, submitted(board, job_worker.FINISHES)).state is JobState.FINISHED


def test_a_job_that_cannot_even_be_imported_fails(
    start_worker: Callable[..., Worker], redis_url: str, tmp_path: Path
):
    start_worker()
    board = JobBoard(redis_url, tmp_path, entry="tests.integration.nowhere.run_job")
    job = ended(board, submitted(board, 1))
    assert job.state is JobState.FAILED
    assert "see the worker's log" in job.reason
    assert "nowhere" in (tmp_path / "worker.log").read_text()


def test_a_job_that_ignores_the_stop_after_its_lease_expired_is_killed(
    board: JobBoard, start_worker: Callable[..., Worker], tmp_path: Path
):
    job = submitted(board, job_worker.IGNORES_STOP)
    start_worker()
    running = in_state(board, job, JobState.RUNNING)
    horse = eventually(lambda: board.get(job.id).step and horse_of(tmp_path))
    board.mark_dead(running, "given up by a test")
    eventually(lambda: not lives(horse))
    assert board.get(job.id).reason == "given up by a test"


def test_a_job_that_ignores_the_stop_after_redis_lost_it_is_killed(
    board: JobBoard, start_worker: Callable[..., Worker], redis_url: str, tmp_path: Path
):
    job = submitted(board, job_worker.IGNORES_STOP)
    start_worker()
    eventually(lambda: board.get(job.id).step)
    horse = horse_of(tmp_path)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    eventually(lambda: not lives(horse))
    assert "Redis lost this job" in board.get(job.id).reason


def test_a_killed_worker_is_noticed_and_the_job_can_be_started_again(
    board: JobBoard, start_worker: Callable[[], Worker], tmp_path: Path
):
    job = submitted(board, job_worker.WAITS)
    worker = start_worker()
    eventually(lambda: board.get(job.id).step == "train")
    horse = horse_of(tmp_path)
    assert lives(horse)
    # when the worker has no time to say anything
    worker.kill()
    worker.wait()
    # then its work horse does not go on without it
    eventually(lambda: not lives(horse))
    # and the lease runs out
    failed = ended(board, job)
    assert failed.state is JobState.FAILED
    assert "the worker process crashed" in failed.reason
    # and the job can be started again
    start_worker()
    again, is_new = board.submit(job.request)
    assert is_new
    running = in_state(board, again, JobState.RUNNING)
    assert running.started_at is not None
    assert board.get(job.id) == failed


def test_a_killed_job_starts_again_by_itself_after_its_last_finished_step(
    board: JobBoard, start_worker: Callable[[], Worker], tmp_path: Path
):
    start_worker()
    died = ended(board, submitted(board, job_worker.RESUMES))
    assert "killed by signal 9" in died.reason
    restart = Restarting(
        UnfinishedJobFiles(tmp_path), board, board.files.with_chosen, board.submit, 2
    )
    restart()
    resumed = ended(board, board.history(limit=1)[0])
    assert resumed.id != died.id
    assert resumed.reason == f"done; resumed after training of {died.id}, which broke off"
    assert (tmp_path / "trainings").read_text() == "trained\n"
    # and nothing is left to go on with
    restart()
    assert board.history(limit=1)[0].id == resumed.id
    assert UnfinishedJobFiles(tmp_path).all() == []


def test_a_shut_down_worker_stops_its_job_cleanly(
    board: JobBoard, start_worker: Callable[[], Worker]
):
    job = submitted(board, job_worker.WAITS)
    worker = start_worker()
    in_state(board, job, JobState.RUNNING)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    stopped = board.get(job.id)
    assert stopped.state is JobState.STOPPED
    assert stopped.reason == "the worker was shut down; start the job again"
    assert board.submit(job.request)[1]


def test_losing_redis_loses_only_the_work_in_progress(
    board: JobBoard, start_worker: Callable[[], Worker], redis_url: str
):
    start_worker()
    finished = ended(board, submitted(board, job_worker.FINISHES))
    running = submitted(board, job_worker.WAITS)
    in_state(board, running, JobState.RUNNING)
    queued = submitted(board, job_worker.CRASHES)
    # when all that Redis knows is gone
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    # then history still has everything, and says what happened
    lost = board.get(running.id)
    assert lost.state is JobState.FAILED
    assert "Redis lost this job" in lost.reason
    assert board.get(queued.id).state is JobState.FAILED
    assert board.get(finished.id).state is JobState.FINISHED
    assert [job.id for job in board.history()] == [queued.id, running.id, finished.id]
    # and the next start works
    assert ended(board, submitted(board, job_worker.FINISHES)).state is JobState.FINISHED


def test_a_job_outlasts_a_restart_of_redis(start_worker: Callable[..., Worker], tmp_path: Path):
    first = EmbeddedRedis(tmp_path)
    url = first.start()
    board = job_worker.board(url, tmp_path)
    job = submitted(board, job_worker.WAITS)
    worker = start_worker(url)
    eventually(lambda: board.get(job.id).step == "train")
    # when Redis is away for longer than the worker looks away
    first.stop()
    log = tmp_path / "worker.log"
    eventually(lambda: "cannot renew the lease of job" in log.read_text())
    second = EmbeddedRedis(tmp_path)
    assert second.start() == url
    # then the same job goes on
    before = board.get(job.id)
    eventually(lambda: board.get(job.id).progress > before.progress)
    assert board.get(job.id).state is JobState.RUNNING
    board.stop(job.id)
    assert ended(board, job).reason == "stopped on request"
    assert worker.poll() is None
    second.stop()


def test_cleanups_run_when_no_job_waits_and_go_on_after_they_made_way(
    board: JobBoard, redis_url: str, start_worker: Callable[..., Worker], tmp_path: Path
):
    cleanups = job_worker.cleanup_queue(redis_url, tmp_path)
    for _ in range(2):
        cleanups.request(ProjectId(7))
    job = submitted(board, job_worker.FINISHES)
    assert cleanups.jobs_wait() and cleanups.others_wait()
    start_worker()
    assert ended(board, job).state is JobState.FINISHED
    notes = tmp_path / "cleanups"
    eventually(lambda: notes.exists() and notes.read_text().count("\n") == 2)
    last = submitted(board, job_worker.FINISHES)
    assert ended(board, last).state is JobState.FINISHED
    assert notes.read_text() == "7 False\n" * 2, "once as requested twice, once as it made way"


def test_an_idle_worker_ends_when_asked(start_worker: Callable[..., Worker], tmp_path: Path):
    worker = start_worker()
    eventually(lambda: "Listening" in (tmp_path / "worker.log").read_text())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0


def test_an_idle_worker_that_was_killed_is_soon_counted_no_more(board: JobBoard, redis_url: str):
    with redis.Redis.from_url(redis_url) as connection:
        worker = JobWorker(board, connection, Pace())
        worker.register_birth()
        assert 0 < connection.ttl(worker.key) <= 120
        worker.heartbeat()
        assert 0 < connection.ttl(worker.key) <= 120


def test_a_job_stopped_just_before_it_starts_does_not_run(board: JobBoard):
    job = submitted(board, job_worker.FINISHES)
    board.stop(job.id)
    assert board.start(job.id) is None


def test_a_job_that_another_worker_runs_is_not_started_twice(board: JobBoard):
    job = submitted(board, job_worker.FINISHES)
    assert board.start(job.id) is not None
    assert board.start(job.id) is None


def test_a_job_taken_by_a_worker_that_died_at_once_is_noticed(board: JobBoard, redis_url: str):
    job = submitted(board, job_worker.FINISHES)
    # given that it left the queue, and nobody holds a lease on it
    with redis.Redis.from_url(redis_url) as client:
        client.delete(board.records.queue(client).key)
    assert board.get(job.id).state is JobState.QUEUED
    assert ended(board, job).state is JobState.FAILED


def test_without_redis_the_history_can_still_be_read(
    board: JobBoard, no_redis: str, tmp_path: Path
):
    stopped = board.stop(submitted(board, 1).id)
    queued = submitted(board, 2)
    blind = JobBoard(no_redis, tmp_path)
    assert blind.get(JobId(stopped.id)) == stopped
    assert blind.get(JobId(queued.id)).reason.startswith("Redis does not answer")
    assert [job.id for job in blind.history()] == [queued.id, stopped.id]


def test_two_installations_on_one_redis_do_not_mix(
    board: JobBoard, start_worker: Callable[[], Worker], redis_url: str, tmp_path: Path
):
    other = job_worker.board(redis_url, tmp_path / "other")
    start_worker()
    theirs = submitted(other, job_worker.FINISHES)
    ours = submitted(board, job_worker.FINISHES)
    assert ours.id != theirs.id
    assert ended(board, ours).state is JobState.FINISHED
    assert other.get(theirs.id).state is JobState.QUEUED
    assert [job.id for job in board.history()] == [ours.id]


def test_an_idle_worker_is_known_again_after_redis_lost_all_data(board: JobBoard, redis_url: str):
    with redis.Redis.from_url(redis_url) as connection:
        worker = JobWorker(board, connection, Pace())
        worker.register_birth()
        connection.flushall()
        worker.heartbeat()
        found = rq.Worker.all(queue=board.records.queue(connection))
        assert [one.name for one in found] == [worker.name]
        assert found[0].pid == os.getpid()


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Put back the handlers of this process, in which a worker installs its own."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signal_handlers")
def test_a_worker_that_ends_though_nobody_asked_says_so(redis_url: str, tmp_path: Path):
    class Breaking(JobWorker):
        """Fails in the loop of RQ, which logs the error and returns."""

        def dequeue_job_and_maintain_ttl(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError

    settings = Settings(data_dir=tmp_path, redis_url=redis_url)
    with pytest.raises(AutolabelError, match="unexpected error"):
        run_worker(settings, make=Breaking)


def test_jobs_submitted_while_the_clock_jumps_stay_in_order(board: JobBoard, tmp_path: Path):
    first = submitted(board, job_worker.FINISHES)
    board.stop(first.id)
    # given jobs of a clock that ran a month ahead, and a folder that is no job
    ahead = JobFiles(tmp_path).folder(ProjectId(9), JobId("job-20991231-235959-0abcd1234"))
    ahead.mkdir(parents=True)
    ahead.with_name("job-99999999-999999-0abcd1234").mkdir()
    second = submitted(board, job_worker.FINISHES)
    board.stop(second.id)
    third = submitted(board, job_worker.FINISHES)
    assert ahead.name < second.id < third.id
    assert [job.id for job in board.history()] == [third.id, second.id, first.id]


def test_an_idle_worker_sweeps_before_it_waits_and_not_again_soon(board: JobBoard, redis_url: str):
    swept: list[str] = []
    submitted(board, job_worker.FINISHES)
    with redis.Redis.from_url(redis_url) as connection:
        worker = JobWorker(board, connection, Pace(), lambda: swept.append("once"))
        worker.register_birth()
        assert worker.dequeue_job_and_maintain_ttl(None)
        assert not swept, "a job waits"
        assert worker.dequeue_job_and_maintain_ttl(None) is None
        assert worker.dequeue_job_and_maintain_ttl(None) is None
    assert swept == ["once"]


class Recorder(redis.Redis):
    """A connection that counts its commands."""

    commands = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.commands += 1
        return super().execute_command(*args, **options)


@pytest.mark.parametrize("is_busy", [True, False])
def test_a_signal_handler_makes_no_call_to_redis(board: JobBoard, redis_url: str, is_busy: bool):
    with Recorder.from_url(redis_url) as connection:
        worker = JobWorker(board, connection, Pace())
        worker._running = JobId("job-1") if is_busy else None
        connection.commands = 0
        worker.handle_warm_shutdown_request()
        with nullcontext() if is_busy else pytest.raises(StopRequested):
            worker._shutdown()
        assert connection.commands == 0
        assert worker.asked_to_end
