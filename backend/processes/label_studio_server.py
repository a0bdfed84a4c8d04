"""Run a Label Studio for the demo and the tests: SQLite, loopback, no telemetry."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import httpx

from backend.domain.errors import LabelStudioUnreachable, Unavailable
from backend.processes.child_process import start_child, stop_child

_POLL_SECONDS = 0.3
_GRACE_SECONDS = 10.0
_KINDS = ("CONFIG", "CACHE", "DATA")
"""The XDG folders below a user's home."""

BESIDE = Path(".venv-label-studio/bin/label-studio")
"""Where `make label-studio` installs it, relative to the clone."""


def installed_command() -> Path:
    """Return the `label-studio` command in the clone's environment for it, or else on PATH.

    Raises:
        Unavailable: when there is neither.
    """
    found = BESIDE if BESIDE.exists() else shutil.which("label-studio")
    if not found:
        raise Unavailable(
            "Label Studio is not installed",
            "Install it into an environment of its own: python3 -m venv .venv-label-studio && "
            ".venv-label-studio/bin/pip install label-studio, or give --label-studio PATH",
        )
    return Path(found).absolute()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free right now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class LabelStudioProcess:
    """One Label Studio, run from an environment of its own.

    `binary` is the `label-studio` of that environment. Everything is written below `data_dir`, the
    log to `label-studio.log`. `files_root` is the folder to serve as local files. The first start
    creates the account and its token; later starts with the same `data_dir` need the same ones.
    """

    def __init__(
        self,
        binary: Path,
        data_dir: Path,
        port: int,
        *,
        username: str = "admin@localhost.local",
        password: str = "",
        token: str = "",
        files_root: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.binary = binary
        self.data_dir = data_dir
        self.port = port
        self.username = username
        self.password = password or secrets.token_urlsafe(9)
        self.token = token or secrets.token_hex(20)
        self.files_root = files_root or data_dir / "files"
        self._extra = dict(environment or {})
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data_dir / "label-studio.log"

    def start(self) -> None:
        """Start it and return at once.

        Raises:
            Unavailable: when the port is taken or the binary cannot be run.
        """
        self._refuse_taken_port()
        self.files_root.mkdir(parents=True, exist_ok=True)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = self._spawn(log)

    def wait(self, seconds: float = 180) -> None:
        """Wait until it answers.

        Raises:
            LabelStudioUnreachable: when it ended, or does not answer within `seconds`.
        """
        ends = time.monotonic() + seconds
        while not self._answers():
            if not self.is_running:
                raise LabelStudioUnreachable("Label Studio ended while starting", self._see_log())
            if time.monotonic() > ends:
                raise LabelStudioUnreachable(
                    f"Label Studio did not start within {seconds:.0f} s", self._see_log()
                )
            time.sleep(_POLL_SECONDS)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it and its children. Safe to repeat."""
        process, self._process = self._process, None
        if process:
            stop_child(process, _GRACE_SECONDS, group=True)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[str]:
        command = [
            *(str(self.binary), "start", "--no-browser", "--port", str(self.port)),
            *("--internal-host", "127.0.0.1"),
            *("--username", self.username, "--password", self.password),
            *("--user-token", self.token),
        ]
        try:
            return start_child(
                command,
                environment={**os.environ, **self._environment()},
                folder=self.data_dir,
                output=log,
                parent_death_signal=None,
            )
        except OSError as exc:
            raise Unavailable(f"{self.binary} cannot be run: {exc.strerror}") from exc

    def _environment(self) -> dict[str, str]:
        root = str(self.files_root.absolute())
        home = self.data_dir.absolute() / "home"
        return {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.data_dir.absolute()),
            # it writes a user's id and caches beside its data
            **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in _KINDS},
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_HOST": "",
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": root,
            # the backend runs on this machine, which Label Studio refuses by default
            "ML_BLOCK_LOCAL_IP": "false",
            "SSRF_PROTECTION_ENABLED": "false",
            "COLLECT_ANALYTICS": "False",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            **self._extra,
        }

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                raise Unavailable(f"port {self.port} is in use", "Choose another one")

    def _see_log(self) -> str:
        return f"See {self.log}"
