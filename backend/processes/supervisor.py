"""What `autolabel up` runs: Redis, web and one worker, in one terminal.

When web or Redis ends, all end. A worker that dies is started again after 1, 2, 4 … seconds, at
most `RESTARTS` times in a row; one that has run for `HEALTHY` seconds starts the count anew.
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
from backend.processes.embedded_redis import EmbeddedRedis
from backend.processes.child_process import tied
from backend.settings import Settings, environment

log = logging.getLogger(__name__)

RESTARTS = 5
HEALTHY = 60.0
PATIENCE = 30.0
"""Seconds that a part gets to end; a running job stops at its next report of progress."""
LAST_WORDS = 5.0
"""Seconds for the last lines of a part to appear; a process that it left may keep the pipe open."""

Echo = Callable[[str], None]


def up(settings: Settings) -> int:
    """Run everything until Ctrl-C or SIGTERM; answers the exit status.

    Raises:
        AutolabelError: when a part cannot start or ended by itself.
    """
    return run(Supervisor(settings))


def run(supervisor: "Supervisor") -> int:
    """The same with parts of one's own."""
    with_signals(supervisor)
    try:
        supervisor.start()
        supervisor.watch()
    finally:
        supervisor.stop()
    return 0


def with_signals(supervisor: "Supervisor") -> None:
    """Ctrl-C, SIGTERM and a closed terminal ask to end; a second one does not wait.

    A signal comes between any two steps of the main thread, so `end` may take no lock.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        supervisor.end()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


class Supervisor:
    """The parts and the order in which they start and stop."""

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
        refuse_taken_port(self._settings.host, self._settings.port)
        if self._redis:
            self._redis.start()
        self.web.start()
        self.worker.start()

    def watch(self) -> None:
        """Return when asked to end.

        Raises:
            AutolabelError: when a part ended that the others cannot do without.
        """
        while not self._asked_to_end:
            time.sleep(0.2)
            if self._redis and self._redis.process and self._redis.process.poll() is not None:
                log_file = self._settings.data_dir / "redis" / "redis.log"
                raise AutolabelError("Redis ended by itself", f"See {log_file}")
            if self.web.has_ended:
                raise AutolabelError("the web server ended by itself", "See its last lines above")
            if self.worker.has_ended and not self.worker.restart_when_due():
                raise AutolabelError(
                    f"the worker died {RESTARTS + 1} times in a row", "See its last lines above"
                )

    def end(self) -> None:
        """Ask to end; asked again, do not wait for a job that stops."""
        self._asked_to_end += 1

    def stop(self) -> None:
        """End all parts: web first, so that nothing new comes in, and Redis last."""
        for part in (self.web, self.worker):
            part.stop(lambda: self._asked_to_end > 1)
        if self._redis:
            self._redis.stop()


class Part:
    """One child process, whose lines appear in our terminal with its name before them."""

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
        self.process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            tied(self._command),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        if self.process.stdout:
            self._lines = _relay(self.process.stdout, self._name, self._echo)

    def restart_when_due(self) -> bool:
        """Start again after a pause that doubles; False when it died too often."""
        now = time.monotonic()
        if self._restart_at is None:
            if now - self._started_at > HEALTHY:
                self._restarts = 0
            if self._restarts == RESTARTS:
                return False
            self._restart_at = now + 2**self._restarts
            self._restarts += 1
            code = self.process.returncode if self.process else None
            log.warning("%s ended with status %s and is started again", self._name, code)
        elif now >= self._restart_at:
            self._restart_at = None
            self.start()
        return True

    def stop(self, in_a_hurry: Callable[[], bool]) -> None:
        """Ask to end, and kill after `PATIENCE` seconds or when in a hurry."""
        if self.process and not self.has_ended:
            self._end(self.process, in_a_hurry)
        if self._lines:
            self._lines.join(LAST_WORDS)

    def _end(self, process: subprocess.Popen[str], in_a_hurry: Callable[[], bool]) -> None:
        process.terminate()
        deadline = time.monotonic() + PATIENCE
        while not self.has_ended and time.monotonic() < deadline and not in_a_hurry():
            time.sleep(0.05)
        if not self.has_ended:
            log.warning("%s does not end and is killed", self._name)
            process.kill()
        process.wait()


def refuse_taken_port(host: str, port: int) -> None:
    """Raises AutolabelError where somebody listens already; 0 is any free port."""
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
    """Also reads on when the terminal is gone: a part must never wait for a full pipe."""

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
