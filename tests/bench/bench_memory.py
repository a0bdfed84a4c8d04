"""How much memory the web process needs, and how a worker's grows with the number of tasks.

    python -m tests.bench.bench_memory [FEW MANY]

Real web and worker processes against a made-up Label Studio; peaks as the kernel counts them.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from backend.processes.label_studio_server import free_port
from backend.settings import Settings
from tests.bench.processes import children, megabytes, running
from tests.e2e.autolabel import Autolabel
from tests.fakes.domain import CHOICES
from tests.fakes.http_server import FakeHttpServer
from tests.fakes.large_label_studio import large_label_studio

WEB_MB = 250
GROWTH_MB = 300


class Walk(NamedTuple):
    """A first and a second job over `tasks` tasks: peaks of their and the web process, seconds."""

    tasks: int
    worker_mb: float
    second_mb: float
    web_mb: float
    has_torch: bool
    seconds: float


class Watch:
    """The largest peak that any child of a process reaches while the block runs."""

    def __init__(self, parent: int) -> None:
        self.peak = 0.0
        self._parent = parent
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for child in children(self._parent):
                self.peak = max(self.peak, megabytes(child, "VmHWM"))


def walk(tasks: int) -> Walk:
    """Label that many tasks with an empty data folder, then again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeHttpServer(large_label_studio(tasks)) as studio,
        Autolabel(settings(studio.url, Path(folder)), patience=900).running(fresh=True) as ours,
    ):
        web, worker = running("backend.cli serve"), running("backend.cli worker")
        ask(ours)
        before = megabytes(web, "VmHWM")
        has_torch = "torch" in Path(f"/proc/{web}/maps").read_text()
        started = time.perf_counter()
        peaks = list[float]()
        for _ in range(2):
            with Watch(worker) as watch:
                job = ours.json("label", 1)
            assert job["report"]["predicted"] == tasks - 40, job
            peaks.append(watch.peak)
        return Walk(tasks, *peaks, before, has_torch, time.perf_counter() - started)


def ask(ours: Autolabel) -> None:
    """What Label Studio and people ask of the web process before there is a model."""
    config = {"project": "1.1", "label_config": CHOICES, "schema": CHOICES}
    tasks = [{"id": number, "data": {"image": f"/{number}.png"}} for number in range(1000)]
    for _ in range(20):
        ours.call("POST", "/setup", config)
        ours.call("POST", "/predict", {**config, "tasks": tasks})
        ours.call("POST", "/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": 1}})
        ours.call("GET", "/api/projects/1/status")
        ours.call("GET", "/")


def settings(url: str, folder: Path) -> Settings:
    port = free_port()
    return Settings(
        label_studio_url=url,
        label_studio_api_key=SecretStr("0" * 40),
        data_dir=folder,
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        device="cpu",
        auto_train=False,
    )


def main(few: int, many: int) -> None:
    small, large = walk(few), walk(many)
    torch = "has torch in memory" if small.has_torch else "has no torch in memory"
    print(f"web process     {small.web_mb:5.0f} MB at its peak, {torch}; target {WEB_MB} MB")
    for one in (small, large):
        print(
            f"{one.tasks:6} tasks   {one.worker_mb:5.0f} MB at the peak of the first job, "
            f"{one.second_mb:.0f} MB of the second one, {one.seconds:.0f} s"
        )
    first, second = large.worker_mb - small.worker_mb, large.second_mb - small.second_mb
    print(f"growth          {first:5.0f} MB and {second:.0f} MB; target {GROWTH_MB} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3] or (5_000, 50_000)))
