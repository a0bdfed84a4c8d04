"""How much faster two workers embed than one, each with one thread.

Run: nice -n 5 python -m tests.bench.bench_workers [IMAGES]

Makes images of 320 x 240 pixels on disk, starts a Redis and one or two real workers, and lets a job
embed them with an empty cache. Each worker has one thread, so the ratio is that of the workers and
not of the cores. The exported encoder is shared, see `tests.exported_backbone`.

Also prints the processor time of all processes together, which other programs disturb less than the
clock, and when each worker was busy, in seconds since the job was submitted.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image
from typing_extensions import override

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.ids import JobId, ProjectId, TaskId
from backend.domain.jobs import Job, JobRequest, JobResult
from backend.domain.shards import Shard
from backend.domain.steps import Step
from backend.jobs import boundary
from backend.jobs.board import JobBoard
from backend.jobs.redis_client import connect
from backend.jobs.shard_queue import ShardQueue
from backend.models.embedding.extractors import EncoderExtractors
from backend.models.embedding.feature_extractor import open_cached
from backend.ports.progress import Progress, Steps
from backend.processes.embedded_redis import EmbeddedRedis
from backend.processes.worker import JobWorker, Pace
from backend.rq_entry import preload
from backend.services.sharding.crew import Crew
from backend.services.sharding.shard_work import take_shards
from backend.settings import Settings, load
from tests.exported_backbone import shared
from tests.fakes.image_files import FakeImageFiles
from tests.integration.polling import eventually

JOBS, SHARDS = (f"tests.bench.bench_workers.{name}" for name in ("run_job", "run_shards"))
PATIENCE = 3600.0


def folder() -> Path:
    return Path(os.environ["DATA_DIR_UNDER_TEST"])


def url() -> str:
    return os.environ["REDIS_URL_UNDER_TEST"]


def settings() -> Settings:
    return load(data_dir=folder(), threads=1, device="cpu")


class NotingExtractor(EncoderExtractors):
    """Notes in a file when each call began and ended."""

    @override
    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        began = time.time()
        try:
            return super().extract(refs, progress, backbone)
        finally:
            with (folder() / "timeline").open("a") as notes:
                notes.write(f"{os.getpid()} {began} {time.time()}\n")


def extractor() -> EncoderExtractors:
    used, files = settings(), FakeImageFiles()
    return NotingExtractor(used, files, lambda one: open_cached(used, files, one))


def shard_queue() -> ShardQueue:
    return ShardQueue(url(), folder(), entry=SHARDS)


def run_job(job: str) -> None:
    """Embed all images, together with whoever helps."""

    def work(running: Job, steps: Steps) -> JobResult:
        own, paths = extractor(), sorted((folder() / "made").iterdir())
        refs = [ImageRef(TaskId(number), str(path)) for number, path in enumerate(paths)]
        with steps(Step.EMBED) as progress:
            Crew(shard_queue(), own, least=1).embed(running, refs, own.backbone, progress)
            own.extract(refs, progress)
        return JobResult("done")

    boundary.run(JobBoard(url(), folder(), entry=JOBS), JobId(job), work)


def run_shards(project: int, job: str) -> None:
    own = extractor()

    def work(shard: Shard, progress: Progress) -> None:
        own.extract(shard.refs, progress, shard.backbone)

    take_shards(shard_queue(), work, ProjectId(project), JobId(job), lambda: False)


def worker() -> None:
    board = JobBoard(url(), folder(), entry=JOBS)
    preload(settings())
    redis = connect(url(), socket_timeout=None)
    JobWorker(board, redis, Pace(), shards=shard_queue()).work()


def make_images(target: Path, images: int) -> None:
    target.mkdir()
    noise = np.random.default_rng(0)
    for number in range(images):
        coarse = noise.integers(0, 255, (15, 20, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)
        image.save(target / f"{number:06}.jpg", quality=85)


def timeline(submitted: float) -> str:
    """Tell when each process was at an image, from the notes of `NotingExtractor`."""
    calls: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in (folder() / "timeline").read_text().splitlines():
        process, began, ended = line.split()
        calls[process].append((float(began) - submitted, float(ended) - submitted))
    return ", ".join(
        f"{min(began for began, _ in spans):.1f} to {max(ended for _, ended in spans):.1f} "
        f"(busy {sum(ended - began for began, ended in spans):.1f})"
        for spans in calls.values()
    )


def processor_seconds() -> float:
    """Return those of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(workers: int, made: Path) -> float:
    """Return the seconds from the start of the job to its end, and print the rest."""
    before = processor_seconds()
    took, busy = seconds(workers, made)
    spent = processor_seconds() - before
    print(
        f"{workers} workers {took:.1f} s, {spent:.1f} s of processor time; busy {busy}", flush=True
    )
    return took


def seconds(workers: int, made: Path) -> tuple[float, str]:
    """Return the seconds from the start of the job to its end, and when each worker was busy."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as ending:
        data = Path(name)
        (data / "made").symlink_to(made)
        redis = EmbeddedRedis(data)
        os.environ["DATA_DIR_UNDER_TEST"] = name
        os.environ["REDIS_URL_UNDER_TEST"] = redis.start()
        ending.callback(redis.stop)
        ending.enter_context(shared(data))
        for _ in range(workers):
            command = [sys.executable, "-m", "tests.bench.bench_workers", "worker"]
            process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
            ending.callback(process.wait)
            ending.callback(process.terminate)
        eventually(lambda: shard_queue().helpers() == workers, 120)
        board = JobBoard(url(), data, entry=JOBS)
        started, submitted = time.perf_counter(), time.time()
        job, _ = board.submit(JobRequest(ProjectId(1)))
        eventually(lambda: not board.get(job.id).state.is_live, PATIENCE)
        took = time.perf_counter() - started
        assert board.get(job.id).reason == "done", board.get(job.id).reason
        return took, timeline(submitted)


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as name:
        made = Path(name, "images")
        make_images(made, images)
        one, two = measured(1, made), measured(2, made)
    print(
        f"{images} images  one worker {one:.1f} s  two workers {two:.1f} s  {one / two:.2f} times"
    )


if __name__ == "__main__":
    worker() if sys.argv[1:] == ["worker"] else main()
