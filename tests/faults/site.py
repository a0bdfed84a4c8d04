"""Everything that a job needs, for real: Label Studio behind the proxy, Redis, web and worker."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from backend.domain.ids import ProjectId
from backend.domain.versions import Ledger
from backend.processes.embedded_redis import EmbeddedRedis
from backend.processes.label_studio_server import LabelStudioProcess
from backend.processes.supervisor import Supervisor
from backend.stores.ledgers import LedgerFiles
from connectors.label_studio.client import LabelStudioClient
from tests import plain_http
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import answer, write_images
from tests.e2e.label_studio_api import upload_annotated
from tests.exported_backbone import shared
from tests.faults.clock import ShiftedClock
from tests.faults.disk import SmallDisk
from tests.faults.proxy import FaultProxy
from tests.integration.polling import eventually

LABELS = ("0", "1")
PER_LABEL = 11
LABELED = 6
SPARE = 4
"""Images a label that are imported later."""

CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Choices name="digit" toName="image">{}</Choices>
</View>"""
ENDED = {"finished", "failed", "stopped"}
JOB_SECONDS = 240.0


def label_config(*labels: str) -> str:
    """The labeling config of the projects, with their own labels or others."""
    return CONFIG.format("".join(f'<Choice value="{one}"/>' for one in labels or LABELS))


@dataclass
class Digits:
    """A project of small digits; `truth` maps each task to what its image shows."""

    id: int
    per_label: int
    truth: dict[int, str] = field(default_factory=dict)
    annotations: dict[int, str] = field(default_factory=dict)
    """What people labeled, by task."""
    deleted: set[int] = field(default_factory=set)

    @property
    def unlabeled(self) -> set[int]:
        return set(self.truth) - set(self.annotations) - self.deleted


class Site:
    """The parts, while `running`, and what may befall them; and Label Studio, as people use it."""

    def __init__(self, studio: LabelStudioProcess, folder: Path) -> None:
        self.closed = threading.Event()
        self.studio = studio
        self.proxy = FaultProxy(studio.url)
        self._folder = folder
        self._thawing: threading.Thread | None = None

    @contextmanager
    def running(self) -> Iterator["Site"]:
        self.clock = ShiftedClock(self._folder / "clock")
        self.disk = SmallDisk(self._folder / "disk")
        self.redis = EmbeddedRedis(self._folder / "redis-of-tests")
        with self.proxy:
            settings = settings_for(
                self.studio,
                self.disk.folder / "data",
                label_studio_url=self.proxy.url,
                redis_url=self._start_redis(),
                label_studio_patience=60,
            )
            self.ours = Autolabel(settings, command=self._command)
            try:
                # the small disk is seen as another folder from here
                with shared(self.disk.outside / "data"), self.ours.running(fresh=True):
                    yield self
            finally:
                self.closed.set()
                self.redis.stop()
                self.disk.close()

    @property
    def _command(self) -> tuple[str, ...]:
        """Python, with the disk that the tests fill and the clock that they set."""
        return (
            *self.disk.command,
            "env",
            *(f"{k}={v}" for k, v in self.clock.environment.items()),
            sys.executable,
        )

    def _start_redis(self) -> str:
        """Redis with the same clock; it inherits the environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.clock.environment.items():
                patch.setenv(name, value)
            return self.redis.start()

    @property
    def supervisor(self) -> Supervisor:
        return self.ours.supervisor

    # --- Label Studio, as people use it ---------------------------------------------------------

    def call(self, method: str, path: str, **parts: Any) -> Any:
        """Past the proxy, straight to Label Studio."""
        headers = {"Authorization": f"Token {self.studio.token}"}
        url = f"{self.studio.url}{path}"
        found = plain_http.request(method, url, headers=headers, **parts)
        found.raise_for_status()
        return found.json() if found.content else None

    def new_project(self, per_label: int = PER_LABEL, labeled: int = LABELED) -> Digits:
        """Images of two digits, `labeled` of each labeled."""
        body = {"title": "faults", "label_config": label_config()}
        digits = Digits(self.call("POST", "/api/projects/", json=body)["id"], per_label)
        self._upload(digits, range(per_label), labeled)
        return digits

    def add_images(self, digits: Digits) -> set[int]:
        """Import the spare images; returns their tasks."""
        before = set(digits.truth)
        self._upload(digits, range(digits.per_label, digits.per_label + SPARE))
        return set(digits.truth) - before

    def _upload(self, digits: Digits, which: range, labeled: int = 0) -> None:
        """Upload images of each label, those at these places in the data set.

        The first ones of each come `labeled`.
        """
        images = write_images(self._folder / "digits", which.stop, LABELS)
        paths, truth, results = list[Path](), list[str](), list[list[dict[str, Any]] | None]()
        for label in LABELS:
            chosen = [path for path, shown in images if shown == label][which.start :]
            paths += chosen
            truth += [label] * len(chosen)
            results += [answer(label) if place < labeled else None for place in range(len(chosen))]
        with LabelStudioClient(self.studio.url, self.studio.token) as client:
            tasks = upload_annotated(client, digits.id, paths, results)
        said = dict(zip(tasks, truth, strict=True))
        digits.truth.update(said)
        given = (task for task, result in zip(tasks, results, strict=True) if result)
        digits.annotations.update((task, said[task]) for task in given)

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """What the checks look at; the other columns cost Label Studio as much again."""
        page = {
            "project": project,
            "page_size": 1000,
            "fields": "all",
            "include": "id,data,annotations,result,parent_prediction,predictions,model_version",
            "resolve_uri": "false",
        }
        return self.call("GET", "/api/tasks/", params=page)["tasks"]

    def label(self, digits: Digits, task: int) -> None:
        body = {"result": answer(digits.truth[task])}
        self.call("POST", f"/api/tasks/{task}/annotations/", json=body)
        digits.annotations[task] = digits.truth[task]

    def label_a_task(self, digits: Digits) -> None:
        self.label(digits, max(digits.unlabeled))

    def delete_a_task(self, digits: Digits) -> None:
        gone = min(digits.unlabeled)
        self.call("DELETE", f"/api/tasks/{gone}/")
        digits.deleted.add(gone)

    def add_a_label(self, digits: Digits) -> None:
        config = {"label_config": label_config(*LABELS, "2")}
        self.call("PATCH", f"/api/projects/{digits.id}/", json=config)

    def revoke_token(self) -> None:
        """Deny the backend's calls until `mend`; the other tests go on with the same token."""
        self.proxy.denies = True

    # --- our own processes ----------------------------------------------------------------------

    def start_job(self, digits: Digits, **request: Any) -> str:
        found = self.ours.call("POST", f"/api/projects/{digits.id}/jobs", request)
        assert found.status_code in {200, 201}, found.text
        return found.json()["job"]["id"]

    def job_ended(self, job: str) -> Mapping[str, Any]:
        """The job once it is over; dead parts are started again meanwhile, as a service is."""

        def look() -> Mapping[str, Any] | None:
            self.revive()
            try:
                found = self.ours.call("GET", f"/api/jobs/{job}").json()
            except (httpx.HTTPError, ValueError):
                return None
            return found if found.get("state") in ENDED else None

        return eventually(look, JOB_SECONDS)

    def ledger(self, digits: Digits) -> Ledger:
        """What the backend remembers of the labels that it accepted."""
        return LedgerFiles(self.disk.outside / "data").load(ProjectId(digits.id))

    def versions_folder(self, digits: Digits) -> Path:
        return self.disk.outside / "data" / "projects" / str(digits.id) / "versions"

    def jobs(self, digits: Digits) -> list[dict[str, Any]]:
        """Newest first."""
        found = self.ours.call("GET", f"/api/projects/{digits.id}/jobs")
        return found.json()["jobs"]

    def undo(self, job: str) -> str | None:
        """Start the undo of a job; None if it accepted nothing or was undone."""
        found = self.ours.call("POST", f"/api/jobs/{job}/undo")
        assert found.status_code in {202, 404}, found.text
        return found.json()["job"]["id"] if found.is_success else None

    def stop(self, digits: Digits) -> None:
        self.ours.call("POST", f"/api/jobs/{self.jobs(digits)[0]['id']}/stop")

    def worker_processes(self) -> list[psutil.Process]:
        """The worker and, while a job runs, its horse."""
        worker = psutil.Process(_pid(self.supervisor.worker))
        return [worker, *filter(_is_horse, worker.children())]

    def kill_horse(self) -> None:
        _worker, horse = self.worker_processes()
        horse.kill()

    def kill_worker(self) -> None:
        for one in self.worker_processes():
            one.kill()

    def kill_web(self) -> None:
        psutil.Process(_pid(self.supervisor.web)).kill()

    def redis_processes(self) -> list[psutil.Process]:
        assert self.redis.process is not None
        return [psutil.Process(self.redis.process.pid)]

    def kill_redis(self) -> None:
        assert self.redis.process is not None
        self.redis.process.kill()
        self.redis.process.wait()

    def freeze(self, processes: list[psutil.Process], seconds: float) -> None:
        """Stop processes for a while, as a laptop that sleeps or a machine that swaps does."""
        for process in processes:
            process.suspend()

        def thaw() -> None:
            self.closed.wait(seconds)
            for process in processes:
                if process.is_running():
                    process.resume()

        self._thawing = threading.Thread(target=thaw, daemon=True)
        self._thawing.start()

    def revive(self) -> None:
        """Start again what died."""
        if self.redis.process and self.redis.process.poll() is not None:
            self.redis.stop()  # lets go of the lock of the one that died
            self._start_redis()
        for part in (self.supervisor.web, self.supervisor.worker):
            if part.has_ended:
                part.start()

    def mend(self) -> None:
        """Take every fault away, and wait until all parts answer."""
        self.proxy.disarm()
        self.proxy.denies = False
        self.disk.empty()
        self.clock.shift(0)
        if self._thawing:
            self._thawing.join()
        eventually(lambda: self.revive() or self.ours.is_up(), 120)


def _pid(part: Any) -> int:
    assert part.process is not None
    return part.process.pid


def _is_horse(process: psutil.Process) -> bool:
    """Whether a child of the worker runs a job; the others prepare, or have ended."""
    ended = process.status() == psutil.STATUS_ZOMBIE
    return not ended and "warm_up" not in " ".join(process.cmdline())
