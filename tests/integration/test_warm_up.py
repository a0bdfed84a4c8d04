"""What a worker prepares beside itself before its first job."""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from backend.domain.errors import Stopped
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoders import export_path
from backend.processes import warm_up
from backend.settings import Settings, environment
from tests.bench.processes import children
from tests.integration.polling import eventually, lives

IN_OPEN = 0x20
"""From sys/inotify.h."""

WORKER = """
import signal, sys
from backend import settings
from backend.processes import warm_up
with warm_up.beside(settings.load()) as process:
    print(process.pid, "torch" in sys.modules, flush=True)
    signal.pause()
"""
OPEN = """
import sys
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoders import open_encoder
from backend.settings import load
open_encoder(backbone(load()), "cpu", load())
sys.exit("torch" in sys.modules)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, device="cpu")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a process beside the worker made."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), device="cpu")
    with warm_up.beside(settings) as process:
        assert process
        eventually(lambda: not Path(f"/proc/{process.pid}").exists(), seconds=240)  # no zombie
        assert process.wait(10) == 0
    return place(settings)


def place(settings: Settings) -> Path:
    return export_path(backbone(settings), settings.data_dir)


@contextmanager
def export_running_elsewhere(settings: Settings) -> Iterator[Callable[[], bool]]:
    """Hold the lock of the export; yields whether another process has tried to take it."""
    with held(settings) as lock:
        yield opened(Path(lock.lock_file))


@contextmanager
def held(settings: Settings) -> Iterator[FileLock]:
    """The lock of the export, held until it is released or the block ends."""
    folder = place(settings).parent
    folder.mkdir(parents=True)
    with FileLock(folder / "lock") as lock:
        yield lock


def opened(path: Path) -> Callable[[], bool]:
    """Whether a file was opened since this call, by inotify: a lock is polled, not waited for."""
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, os.fsencode(path), IN_OPEN) > 0
    return lambda: bool(select.select([watch], [], [], 0)[0])


def python(program: str, settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **environment(settings)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_backbone_is_exported_beside_the_worker_and_once(exported: Path) -> None:
    there = Settings(data_dir=exported.parents[1], device="cpu")
    assert exported.is_file()
    with warm_up.beside(there) as process:
        assert process is None


def test_a_job_waits_for_an_export_that_runs_and_needs_no_torch_then(
    settings: Settings, exported: Path
) -> None:
    with export_running_elsewhere(settings) as awaited:
        job = python(OPEN, settings)
        eventually(awaited)
        place(settings).hardlink_to(exported)
    assert job.wait(60) == 0


def test_what_prepares_ends_with_the_worker_which_imports_no_torch(settings: Settings) -> None:
    with export_running_elsewhere(settings) as awaited:
        worker = python(WORKER, settings)
        assert worker.stdout
        pid, imports_torch = worker.stdout.readline().split()
        eventually(awaited)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        eventually(lambda: not lives(int(pid)))
    assert imports_torch == "False"


def test_weights_that_are_missing_keep_no_worker_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Settings(data_dir=tmp_path, device="cpu", backbone_weights=tmp_path / "none.pth")
    with warm_up.beside(missing) as process:
        assert process is None
    assert "none.pth" in caplog.text

    (tmp_path / "wrong.pth").write_bytes(b"<html>")
    wrong = Settings(data_dir=tmp_path, device="cpu", backbone_weights=tmp_path / "wrong.pth")
    with warm_up.beside(wrong) as process:
        assert process
        assert process.wait(120) == 0
    assert not place(wrong).exists()


def test_an_export_ahead_is_waited_for(settings: Settings, exported: Path) -> None:
    with held(settings) as lock:
        awaited = opened(Path(lock.lock_file))

        def finish_elsewhere(*_: object) -> None:
            if awaited() and not place(settings).exists():
                place(settings).hardlink_to(exported)
                lock.release()

        warm_up.export_ahead(settings, backbone(settings).name, finish_elsewhere)
    assert place(settings).is_file()
    warm_up.export_ahead(settings, backbone(settings).name, refuse)  # there is nothing left to do


def test_an_export_ahead_is_broken_off_when_a_job_waits(settings: Settings) -> None:
    before = children(os.getpid())
    with export_running_elsewhere(settings) as awaited:

        def job_waits(*_: object) -> None:
            if awaited():
                raise Stopped

        with pytest.raises(Stopped):
            warm_up.export_ahead(settings, backbone(settings).name, job_waits)
        assert children(os.getpid()) == before


def refuse(*_: object) -> None:
    pytest.fail("nothing is exported")


def test_a_worker_on_a_gpu_prepares_nothing(tmp_path: Path) -> None:
    with warm_up.beside(Settings(data_dir=tmp_path, device="cuda")) as process:
        assert process is None
