"""One job, two real workers, and what happens to a shard whose worker dies."""

import base64
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from PIL import Image
from rq import Worker as AnyWorker

from backend import rq_entry
from backend.domain.answers import ImageRef
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.jobs import Job, JobRequest, JobState
from backend.domain.shards import Shard
from backend.jobs.board import JobBoard
from backend.jobs.shard_queue import ShardQueue
from backend.models.embedding.feature_cache import FeatureCache
from tests.exported_backbone import shared
from tests.integration import job_worker
from tests.integration.polling import eventually

Worker = subprocess.Popen[str]
SECONDS = 120


@pytest.fixture
def board(redis_url: str, tmp_path: Path) -> JobBoard:
    return job_worker.board(redis_url, tmp_path)


@pytest.fixture
def start_workers(redis_url: str, tmp_path: Path) -> Iterator[Callable[[int], list[Worker]]]:
    started: list[Worker] = []

    def start(count: int) -> list[Worker]:
        under_test = {"REDIS_URL_UNDER_TEST": redis_url, "DATA_DIR_UNDER_TEST": str(tmp_path)}
        started.extend(
            subprocess.Popen(
                [sys.executable, "-m", "tests.integration.job_worker"],
                env=os.environ | under_test,
                stdout=(tmp_path / "worker.log").open("a"),
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(count)
        )
        with redis.Redis.from_url(redis_url) as client:
            queue = job_worker.shard_queue(redis_url, tmp_path).queue(client)
            eventually(lambda: AnyWorker.count(queue=queue) == count, SECONDS)
            helpers = job_worker.shard_queue(redis_url, tmp_path).helpers
            eventually(lambda: helpers() == count, SECONDS)
        return started

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def ended(board: JobBoard, job: Job) -> Job:
    def look() -> Job | None:
        found = board.get(job.id)
        return None if found.state.is_live else found

    return eventually(look, SECONDS)


def by_process(folder: Path) -> Counter[int]:
    """Count the images that each process embedded."""
    notes = [path.read_text() for path in (folder / "embedded").glob("*")]
    return Counter(int(pid) for note in notes for pid in note.split())


def divided(board: JobBoard) -> Job:
    return board.submit(JobRequest(ProjectId(job_worker.DIVIDES)))[0]


def test_two_workers_share_a_job(
    board: JobBoard, start_workers: Callable[[int], list[Worker]], tmp_path: Path
):
    start_workers(2)
    job = ended(board, divided(board))
    assert (job.state, job.reason) == (JobState.FINISHED, "done")
    shares = by_process(tmp_path)
    assert sum(shares.values()) == job_worker.IMAGES, "each image once"
    own = shares.pop(int((tmp_path / "horse.pid").read_text()))
    assert 0 < own < job_worker.IMAGES
    assert sum(shares.values()) > 0, "others did the rest"
    assert not (tmp_path / "projects" / str(job_worker.DIVIDES) / ".shards" / job.id).exists()


def test_one_worker_does_all_of_it(
    board: JobBoard, start_workers: Callable[[int], list[Worker]], tmp_path: Path
):
    start_workers(1)
    assert ended(board, divided(board)).state is JobState.FINISHED
    horse = int((tmp_path / "horse.pid").read_text())
    assert by_process(tmp_path) == {horse: job_worker.IMAGES}


def test_the_shard_of_a_worker_that_was_killed_is_done_by_the_job(
    board: JobBoard, start_workers: Callable[[int], list[Worker]], tmp_path: Path
):
    workers = start_workers(2)
    job = divided(board)
    horse = int(eventually((lambda: _read(tmp_path / "horse.pid")), SECONDS))
    # given that the other worker is at a shard
    eventually(lambda: set(by_process(tmp_path)) - {horse}, SECONDS)
    parent = psutil.Process(horse).ppid()
    (helper,) = (one for one in workers if one.pid != parent)
    # when it is killed
    helper.kill()
    helper.wait()
    # then nothing is missing
    assert ended(board, job).state is JobState.FINISHED
    assert len(list((tmp_path / "embedded").glob("*"))) == job_worker.IMAGES


def test_a_stop_reaches_the_workers_of_all_shards(
    board: JobBoard, start_workers: Callable[[int], list[Worker]], redis_url: str, tmp_path: Path
):
    start_workers(2)
    job = divided(board)
    horse = int(eventually((lambda: _read(tmp_path / "horse.pid")), SECONDS))
    eventually(lambda: set(by_process(tmp_path)) - {horse}, SECONDS)
    board.stop(job.id)
    assert ended(board, job).state is JobState.STOPPED
    helpers = job_worker.shard_queue(redis_url, tmp_path).helpers
    eventually(lambda: helpers() == 2, SECONDS)
    assert len(list((tmp_path / "embedded").glob("*"))) < job_worker.IMAGES


def test_a_shard_is_claimed_once_and_only_while_it_is_wanted(redis_url: str, tmp_path: Path):
    queue = job_worker.shard_queue(redis_url, tmp_path)
    job = JobId("job-20261128-120000-0abcd1234")
    refs = (ImageRef(TaskId(1), "/1.png"),)
    one, two = (Shard(ProjectId(1), job, number, refs, "lite0") for number in range(2))
    queue.offer([one, two])
    assert queue.take(ProjectId(1), job) == one
    assert queue.running(job) == 1
    assert queue.is_wanted(one)
    queue.finish(one)
    assert queue.running(job) == 0
    with redis.Redis.from_url(redis_url) as client:
        assert queue.queue(client).count == 2
        assert queue.take(ProjectId(1), job) == two
        assert queue.take(ProjectId(1), job) is None
        assert queue.queue(client).count == 0, "no process is started in vain"
    assert queue.is_wanted(two)
    queue.withdraw(ProjectId(1), job)
    assert not queue.is_wanted(two)
    assert queue.take(ProjectId(1), job) is None


def test_a_shard_whose_file_is_damaged_is_left_to_its_job(redis_url: str, tmp_path: Path):
    queue = job_worker.shard_queue(redis_url, tmp_path)
    job = JobId("job-20261128-120000-0abcd1234")
    refs = (ImageRef(TaskId(1), "/1.png"),)
    queue.offer([Shard(ProjectId(1), job, number, refs) for number in range(2)])
    (damaged,) = tmp_path.rglob("0.json")
    damaged.write_text("{")
    shard = queue.take(ProjectId(1), job)
    assert shard
    assert shard.number == 1
    assert queue.running(job) == 1, "nobody waits for the damaged one"


def test_a_worker_fills_the_feature_cache_by_the_function_that_rq_calls(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AUTOLABEL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AUTOLABEL_REDIS_URL", redis_url)
    queue, job = ShardQueue(redis_url, tmp_path), JobId("job-20261128-120000-0abcd1234")
    picture = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(picture, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
    refs = (ImageRef(TaskId(1), uri), ImageRef(TaskId(2), "data:image/png;base64,AAAA"))
    with shared(tmp_path):
        queue.offer([Shard(ProjectId(1), job, 0, refs, "efficientnet_lite0")])
        rq_entry.run_shards(1, job)
    (cache,) = (tmp_path / "features").glob("*.sqlite")
    assert FeatureCache(cache).width()
    assert queue.running(job) == 0


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
