"""`autolabel up`: all parts in one terminal, and none left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from backend.domain.errors import AutolabelError
from backend.jobs.redis_client import connect
from backend.processes.embedded_redis import redis_url
from backend.processes.supervisor import Part, Supervisor
from backend.settings import Settings
from tests.integration.polling import eventually, lives

pytestmark = pytest.mark.usefixtures("redis_server")

Up = subprocess.Popen[str]
TraceFunction = Callable[..., Any]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    command = [sys.executable, "-m", "tests.integration.up", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def pid_of(data_dir: Path, part: str) -> int:
    def look() -> int:
        file = data_dir / f"{part}.pid"
        return int(file.read_text() or 0) if file.is_file() else 0

    return eventually(look)


def supervised(data_dir: Path, web: str = "", worker: str = "", port: int = 0) -> Supervisor:
    part = (sys.executable, "-m", "tests.integration.part", str(data_dir))
    return Supervisor(
        Settings(data_dir=data_dir, port=port),
        web=(*part, "web", *web.split()),
        worker=(*part, "worker", *worker.split()),
        echo=lambda _line: None,
    )


def test_all_parts_run_on_one_redis_and_their_lines_carry_their_names(up: Up, tmp_path: Path):
    pids = [pid_of(tmp_path, part) for part in ("web", "worker")]
    url = redis_url(Settings(data_dir=tmp_path))
    up.send_signal(signal.SIGTERM)
    output, _ = up.communicate(timeout=60)
    assert f"web    | web uses {url}\n" in output
    assert f"worker | worker uses {url}\n" in output
    assert up.returncode == 0
    assert not any(lives(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_all(up: Up, tmp_path: Path, number: signal.Signals):
    pids = [pid_of(tmp_path, part) for part in ("web", "worker")]
    redis = connect(redis_url(Settings(data_dir=tmp_path)))
    up.send_signal(number)
    assert up.wait(60) == 0
    assert not any(lives(pid) for pid in pids)
    with pytest.raises(Exception, match="onnect"):
        redis.ping()
    assert not (tmp_path / "redis" / "url").exists()


def test_nothing_outlives_a_killed_supervisor(up: Up, tmp_path: Path):
    pids = [pid_of(tmp_path, part) for part in ("web", "worker")]
    url = redis_url(Settings(data_dir=tmp_path))
    pids.append(int(connect(url).info()["process_id"]))
    assert all(lives(pid) for pid in pids)
    os.kill(up.pid, signal.SIGKILL)
    eventually(lambda: not any(lives(pid) for pid in pids))


def test_a_second_up_on_the_same_folder_is_refused(up: Up, tmp_path: Path):
    pid_of(tmp_path, "worker")
    second = supervised(tmp_path)
    with pytest.raises(AutolabelError, match="already uses"):
        second.start()
    second.stop()
    assert connect(redis_url(Settings(data_dir=tmp_path))).ping()


def test_a_dead_worker_is_started_again(up: Up, tmp_path: Path):
    first = pid_of(tmp_path, "worker")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: pid_of(tmp_path, "worker") != first)
    assert (tmp_path / "worker.starts").read_text() == "start\nstart\n"
    assert up.poll() is None


def test_a_worker_that_dies_again_and_again_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("backend.processes.supervisor.RESTARTS", 1)
    supervisor = supervised(tmp_path, worker="0")
    supervisor.start()
    try:
        web = pid_of(tmp_path, "web")
        with pytest.raises(AutolabelError, match="worker died 2 times"):
            supervisor.watch()
    finally:
        supervisor.stop()
    assert not lives(web)


def test_a_web_server_that_ends_ends_all(tmp_path: Path):
    supervisor = supervised(tmp_path, web="0")
    supervisor.start()
    try:
        worker = pid_of(tmp_path, "worker")
        with pytest.raises(AutolabelError, match="web server ended"):
            supervisor.watch()
    finally:
        supervisor.stop()
    assert not lives(worker)


def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        supervisor = supervised(tmp_path, port=port)
        with pytest.raises(AutolabelError, match=f"port {port}.*AUTOLABEL_PORT"):
            supervisor.start()
        supervisor.stop()
    assert not (tmp_path / "redis").exists()


def test_a_redis_that_ends_ends_all(tmp_path: Path):
    supervisor = supervised(tmp_path)
    supervisor.start()
    try:
        redis: Callable[[], object] = connect(redis_url(Settings(data_dir=tmp_path))).shutdown
        threading.Thread(target=redis).start()
        with pytest.raises(AutolabelError, match="Redis ended"):
            supervisor.watch()
    finally:
        supervisor.stop()


def test_a_signal_may_come_at_any_moment(tmp_path: Path):
    """Between any two steps of what waits for it, and of what that calls."""
    for moment in range(1, 13):
        supervisor = supervised(tmp_path)
        waiting = threading.Thread(target=interrupted, args=(supervisor, moment), daemon=True)
        waiting.start()
        waiting.join(60)
        assert not waiting.is_alive(), moment


def interrupted(supervisor: Supervisor, moment: int) -> None:
    """Watch, with a signal at so many steps after the start."""
    steps = 0

    def step(_frame: FrameType, _event: str, _argument: object) -> TraceFunction:
        nonlocal steps
        steps += 1
        if steps == moment:
            supervisor.end()
        return step

    sys.settrace(step)
    supervisor.watch()


def test_a_part_is_read_on_when_the_terminal_is_gone(tmp_path: Path):
    def gone(_line: str) -> None:
        raise OSError("there is no terminal")

    much = "import sys; [print('x' * 1000) for _ in range(1000)]; sys.exit(7)"
    part = Part("web", (sys.executable, "-c", much), os.environ, gone)
    part.start()
    assert part.process
    assert part.process.wait(60) == 7
    part.stop(lambda: False)
