"""A worker process and the jobs it runs, for the tests of the queue.

What a job does is told by the number of its project. `python -m tests.integration.job_worker`
works off the queue at REDIS_URL_UNDER_TEST, with job files below DATA_DIR_UNDER_TEST.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.errors import NoWeights
from backend.domain.ids import JobId, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job, JobResult
from backend.domain.shards import Shard
from backend.domain.steps import Step
from backend.domain.unfinished import KeptTraining
from backend.jobs.board import JobBoard
from backend.jobs.boundary import run
from backend.jobs.cleanup_queue import CleanupQueue
from backend.jobs.redis_client import connect
from backend.jobs.shard_queue import ShardQueue
from backend.ports.progress import Progress, Steps
from backend.processes.worker import JobWorker, Pace
from backend.services.resuming.resumable import Resumable
from backend.services.sharding.crew import Crew
from backend.services.sharding.shard_work import take_shards
from backend.stores.unfinished import UnfinishedJobFiles
from tests.fakes.models import FakeFeatureExtractor

FINISHES, WAITS, CRASHES, HAS_NO_WEIGHTS, IS_KILLED, IGNORES_STOP, RESUMES, DIVIDES = range(1, 9)
ENTRY = "tests.integration.job_worker.run_job"
CLEANUP_ENTRY = "tests.integration.job_worker.run_cleanup"
SHARD_ENTRY = "tests.integration.job_worker.run_shards"
IMAGES = 1400
PACE = Pace(look=1, lease=8, grace=5)
LAST_LEASE = 4


def board(url: str, data_dir: Path) -> JobBoard:
    return JobBoard(url, data_dir, entry=ENTRY, last_lease=LAST_LEASE)


def cleanup_queue(url: str, data_dir: Path) -> CleanupQueue:
    return CleanupQueue(url, data_dir, entry=CLEANUP_ENTRY)


def run_cleanup(project: int) -> None:
    """Note each cleanup in a file, and whether a job waited; the first of them makes way."""
    url, folder = os.environ["REDIS_URL_UNDER_TEST"], Path(os.environ["DATA_DIR_UNDER_TEST"])
    queue, path = cleanup_queue(url, folder), folder / "cleanups"
    is_first = not path.exists()
    with path.open("a") as notes:
        notes.write(f"{project} {queue.jobs_wait()}\n")
    if is_first:
        queue.request(ProjectId(project))


def run_job(job_id: str) -> None:
    url, data_dir = os.environ["REDIS_URL_UNDER_TEST"], os.environ["DATA_DIR_UNDER_TEST"]
    run(board(url, Path(data_dir)), JobId(job_id), _work, {Step.LIST: 1, Step.TRAIN: 3})


def _work(job: Job, steps: Steps) -> JobResult:
    Path(os.environ["DATA_DIR_UNDER_TEST"], "horse.pid").write_text(str(os.getpid()))
    steps.progress(Step.LIST, 1, 1)
    if job.request.project == RESUMES:
        return _resumable()(job, steps)
    if job.request.project == DIVIDES:
        return _divide(job, steps)
    return WORK[job.request.project](steps.progress)


def _finish(progress: Progress) -> JobResult:
    progress(Step.TRAIN, 1, 1)
    sections = {"predicted": 12, "torch": "torch" in sys.modules}
    return JobResult("done", VersionName("al-0001-3f9c"), sections=sections)


def _wait(progress: Progress) -> JobResult:
    progress(Step.TRAIN, 0, 60_000)
    for done in range(60_000):
        progress(Step.TRAIN, done, 60_000)
        time.sleep(0.01)
    return JobResult("done")


def _crash(progress: Progress) -> JobResult:
    raise ZeroDivisionError("a secret detail")


def _no_weights(progress: Progress) -> JobResult:
    raise NoWeights("yolo11n.pt is not here", "Put it into weights/")


def _killed(progress: Progress) -> JobResult:
    os.kill(os.getpid(), signal.SIGKILL)
    return JobResult("done")


def _ignores_stop(progress: Progress) -> JobResult:
    time.sleep(600)
    return JobResult("done")


def _resumable() -> Resumable:
    """Work that is killed after its training, unless an earlier job has done that."""
    folder = Path(os.environ["DATA_DIR_UNDER_TEST"])
    unfinished = UnfinishedJobFiles(folder)

    def work(job: Job, steps: Steps) -> JobResult:
        kept = unfinished.open(job.request.project, "the same labels")
        with steps(Step.TRAIN):
            if kept.training() is None:
                with (folder / "trainings").open("a") as notes:
                    notes.write("trained\n")
                kept.keep_training(KeptTraining("lite0", {}), {}, lambda _: None)
                return _killed(steps.progress)
            kept.reuse(Step.TRAIN)
        return JobResult("done")

    jobs = board(os.environ["REDIS_URL_UNDER_TEST"], folder)
    return Resumable(work, unfinished, jobs)


class NotingExtractor(FakeFeatureExtractor):
    """Takes 10 ms for an image, and notes who embedded it: a file with process ids for each."""

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        folder = Path(os.environ["DATA_DIR_UNDER_TEST"], "embedded")
        return sum(not (folder / str(ref.task)).exists() for ref in refs)

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        folder = Path(os.environ["DATA_DIR_UNDER_TEST"], "embedded")
        folder.mkdir(exist_ok=True)
        for number, ref in enumerate(refs):
            progress(Step.EMBED, number, len(refs))
            note = folder / str(ref.task)
            if not note.exists():
                time.sleep(0.01)
                with note.open("a") as file:
                    file.write(f"{os.getpid()}\n")
        return super().extract(refs, progress, backbone)


def _divide(job: Job, steps: Steps) -> JobResult:
    """Embed IMAGES images, with other workers where there are any."""
    extractor = NotingExtractor()
    refs = [ImageRef(TaskId(task), f"/{task}.png") for task in range(1, IMAGES + 1)]
    with steps(Step.EMBED) as progress:
        Crew(_shard_queue(), extractor, least=0.1).embed(job, refs, "fake", progress)
        extractor.extract(refs, progress)
    return JobResult("done")


def run_shards(project: int, job: str) -> None:
    def work(shard: Shard, progress: Progress) -> None:
        NotingExtractor().extract(shard.refs, progress, shard.backbone)

    take_shards(_shard_queue(), work, ProjectId(project), JobId(job), lambda: False)


def shard_queue(url: str, data_dir: Path) -> ShardQueue:
    return ShardQueue(url, data_dir, entry=SHARD_ENTRY, heartbeat=4)


def _shard_queue() -> ShardQueue:
    folder = Path(os.environ["DATA_DIR_UNDER_TEST"])
    return shard_queue(os.environ["REDIS_URL_UNDER_TEST"], folder)


WORK: Mapping[int, Callable[[Progress], JobResult]] = {
    FINISHES: _finish,
    WAITS: _wait,
    CRASHES: _crash,
    HAS_NO_WEIGHTS: _no_weights,
    IS_KILLED: _killed,
    IGNORES_STOP: _ignores_stop,
}


if __name__ == "__main__":
    address = os.environ["REDIS_URL_UNDER_TEST"]
    folder = Path(os.environ["DATA_DIR_UNDER_TEST"])
    connection = connect(address, socket_timeout=None)
    later = cleanup_queue(address, folder)
    shards = shard_queue(address, folder)
    JobWorker(board(address, folder), connection, PACE, cleanups=later, shards=shards).work()
