"""All of Autolabel as real processes: Redis, web and worker, and the commands a person types."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from backend.processes.label_studio_server import LabelStudioProcess, free_port
from backend.processes.supervisor import Supervisor
from backend.settings import Settings, environment
from tests import plain_http
from tests.e2e.command_server import WIDTH, command_server
from tests.exported_backbone import shared
from tests.integration.polling import eventually

JOB_SECONDS = 240
"""How long a job or a command may take."""


class Autolabel:
    """What runs on `settings`; `lines` are what its processes logged.

    `command` is the Python that runs them, with whatever goes before it.
    """

    def __init__(
        self,
        settings: Settings,
        patience: float = JOB_SECONDS,
        *,
        command: tuple[str, ...] = (sys.executable,),
    ) -> None:
        self._patience = patience
        self.settings = settings
        self.lines: list[str] = []
        self.supervisor = Supervisor(
            settings,
            web=(*command, "-m", "backend.cli", "serve"),
            worker=(*command, "-m", "backend.cli", "worker"),
            echo=self.lines.append,
        )

    @contextmanager
    def running(self, *, fresh: bool = False) -> Iterator["Autolabel"]:
        """Redis, web and worker for as long as the block lasts.

        A `fresh` installation exports its encoder itself, as a user's first one does.
        """
        with nullcontext() if fresh else shared(self.settings.data_dir):
            try:
                self.supervisor.start()
                assert eventually(lambda: self.is_up() or self.supervisor.web.has_ended, 300)
                assert self.is_up(), "\n".join(self.lines)
                yield self
            finally:
                self.supervisor.stop()

    def is_up(self) -> bool:
        try:
            return self.call("GET", "/health").is_success
        except httpx.HTTPError:
            return False

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        url = f"{self.settings.public_url}{path}"
        login = (
            self.settings.basic_auth_user,
            self.settings.basic_auth_password.get_secret_value(),
        )
        auth = login if login[0] else None
        return plain_http.request(method, url, json=body, auth=auth)

    def send(self, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        """A POST of just these bytes."""
        url = f"{self.settings.public_url}{path}"
        return plain_http.request("POST", url, content=content, headers=headers)

    def run(self, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        """One command in a process of its own, with some settings changed."""
        variables = {**os.environ, **environment(self.settings), **changes, **WIDTH}
        return command_server().run([*map(str, arguments)], variables, self._patience)

    def json(self, *arguments: object, status: int = 0, **changes: str) -> Any:
        """What a command prints with `--json`."""
        done = self.run(*arguments, "--json", **changes)
        assert done.returncode == status, done.stderr + done.stdout + "\n".join(self.lines)
        return json.loads(done.stdout)

    def job_ended(self, job: str) -> dict[str, Any]:
        """The job as soon as it is over."""

        def look() -> dict[str, Any] | None:
            found = self.call("GET", f"/api/jobs/{job}").json()
            return found if found["state"] in {"finished", "failed", "stopped"} else None

        return eventually(look, self._patience)


def settings_for(studio: LabelStudioProcess, data_dir: Path, **changes: Any) -> Settings:
    """Settings of a backend beside this Label Studio, on a free port; it trains when told to."""
    port = free_port()
    return Settings(
        **{
            "label_studio_url": studio.url,
            "label_studio_api_key": SecretStr(studio.token),
            "data_dir": data_dir,
            "port": port,
            "public_url": f"http://127.0.0.1:{port}",
            "device": "cpu",
            "auto_train": False,
            **changes,
        }
    )
