"""Run Redis, the web server and one worker in one terminal, for `autolabel up`.

When the web server or Redis ends, all end. A worker that dies is restarted after 1, 2, 4 …
seconds, at most `RESTARTS` times in a row. The count is reset after `HEALTHY` seconds of running.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import IO

from backend.domain.errors import AutolabelError
from backend.processes.child_process import start_child, stop_child
from backend.processes.embedded_redis import EmbeddedRedis
from backend.processes.exposure import refuse_open
from backend.settings import Settings, environment

log = logging.getLogger(__name__)

RESTARTS = 5
HEALTHY = 60.0
PATIENCE = 30.0
"""Seconds that a part gets to end; a running job stops at its next report of progress."""

LAST_LINES_SECONDS = 5.0
"""Seconds to wait for the last output of a part: a child that it left may keep the pipe open."""

Echo = Callable[[str], None]


def up(settings: Settings) -> int:
    """Run everything until Ctrl-C or SIGTERM, and return the exit status.

    Raises:
        AutolabelError: when a part cannot start, or ends unexpectedly.
    """
    return run(Supervisor(settings))


def run(supervisor: "Supervisor") -> int:
    """Like `up`, with a given supervisor (for tests)."""
    with_signals(supervisor)
    try:
        supervisor.start()
        supervisor.watch()
    finally:
        supervisor.stop()
    return 0


def with_signals(supervisor: "Supervisor") -> None:
    """End on Ctrl-C, SIGTERM or a closed terminal; on a second signal, end without waiting.

    A signal may interrupt the main thread anywhere, so `end` must not take a lock.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        supervisor.end()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


class Supervisor:
    """Starts, watches and stops the parts."""

    def __init__(
        self,
        settings: Settings,
        *,
        web: tuple[str, ...] = (sys.executable, "-m", "backend.cli", "serve"),
        worker: tuple[str, ...] = (sys.executable, "-m", "backend.cli", "worker"),
        echo: Echo | None = None,
    ) -> None:
        self._settings = settings
        self._echo = echo or _to_terminal
        self._redis = None if settings.redis_url else EmbeddedRedis(settings.data_dir)
        child = {**os.environ, **environment(settings), "PYTHONUNBUFFERED": "1"}
        self.web = Part("web", web, child, self._echo)
        self.worker = Part("worker", worker, child, self._echo)
        self._asked_to_end = 0

    def start(self) -> None:
        """Start all parts. Call from the main thread.

        Raises:
            AutolabelError: when the port is taken, or Redis cannot be started.
        """
        refuse_open(self._settings)
        refuse_taken_port(self._settings.host, self._settings.port)
        if self._redis:
            self._redis.start()
        self.web.start()
        self.worker.start()

    def watch(self) -> None:
        """Restart the worker when needed, and return when asked to end.

        Raises:
            AutolabelError: when a part that the others need has ended.
        """
        while not self._asked_to_end:
            time.sleep(0.2)
            if self._redis and self._redis.process and self._redis.process.poll() is not None:
                log_file = self._settings.data_dir / "redis" / "redis.log"
                raise AutolabelError("Redis ended unexpectedly", f"See {log_file}")
            if self.web.has_ended:
                raise AutolabelError("the web server ended unexpectedly", "See its output above")
            if self.worker.has_ended and not self.worker.restart_when_due():
                raise AutolabelError(
                    f"the worker died {RESTARTS + 1} times in a row", "See its output above"
                )

    def end(self) -> None:
        """Request the end. The second request does not wait for a running job to stop."""
        self._asked_to_end += 1

    def stop(self) -> None:
        """Stop all parts: web first, so that no new work arrives, and Redis last."""
        for part in (self.web, self.worker):
            part.stop(lambda: self._asked_to_end > 1)
        if self._redis:
            self._redis.stop()


class Part:
    """One child process. Its output appears in the terminal, each line after its name."""

    def __init__(
        self, name: str, command: tuple[str, ...], environment: Mapping[str, str], echo: Echo
    ) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._name = name
        self._command = command
        self._environment = environment
        self._echo = echo
        self._started_at = 0.0
        self._restarts = 0
        self._restart_at: float | None = None
        self._lines: threading.Thread | None = None

    @property
    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.process = start_child(self._command, environment=self._environment)
        if self.process.stdout:
            self._lines = _relay(self.process.stdout, self._name, self._echo)

    def restart_when_due(self) -> bool:
        """Restart after a pause that doubles each time; return False when it died too often."""
        now = time.monotonic()
        if self._restart_at is None:
            if now - self._started_at > HEALTHY:
                self._restarts = 0
            if self._restarts == RESTARTS:
                return False
            self._restart_at = now + 2**self._restarts
            self._restarts += 1
            code = self.process.returncode if self.process else None
            log.warning("%s ended with status %s and is restarted", self._name, code)
        elif now >= self._restart_at:
            self._restart_at = None
            self.start()
        return True

    def stop(self, is_hurried: Callable[[], bool]) -> None:
        """Terminate, and kill after `PATIENCE` seconds or once `is_hurried()`."""
        running = None if self.has_ended else self.process
        if running and not stop_child(running, PATIENCE, is_hurried=is_hurried):
            log.warning("%s did not end in time and was killed", self._name)
        if self._lines:
            self._lines.join(LAST_LINES_SECONDS)


def refuse_taken_port(host: str, port: int) -> None:
    """Raise AutolabelError if the port is in use; 0 means any free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise AutolabelError(
                f"cannot listen on {host}, port {port}: {exc.strerror}",
                "Stop what uses it, or set AUTOLABEL_HOST and AUTOLABEL_PORT",
            ) from exc


def _relay(lines: IO[str], name: str, echo: Echo) -> threading.Thread:
    """Copy lines to the terminal in a thread.

    Reads on when the terminal is gone, because a part would block on a full pipe.
    """

    def relay() -> None:
        for line in lines:
            with suppress(OSError):
                echo(f"{name:6} | {line.rstrip()}")

    thread = threading.Thread(target=relay, name=f"relay-{name}", daemon=True)
    thread.start()
    return thread


def _to_terminal(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
