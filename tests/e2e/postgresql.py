"""A PostgreSQL of our own for tests and measurements: loopback, a folder, no password."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pwd import getpwnam

import pytest

from backend.processes.label_studio_server import free_port

_USER = "postgres"
"""The unprivileged user that Debian's package makes; PostgreSQL does not run as root."""

_START_SECONDS = 120


def programs() -> Path:
    """The folder of PostgreSQL's programs; without one tests are skipped, and fail if CI is true.

    Debian keeps `initdb` and `pg_ctl` out of PATH, in a folder for each version.
    """
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    found = [*folders, *([Path(on_path).resolve().parent] if on_path else [])]
    if found:
        return found[0]
    message = "PostgreSQL is not installed (apt-get install postgresql)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def running(*, safe: bool = False) -> Iterator[dict[str, str]]:
    """A new cluster for as long as the block lasts; yields Label Studio's settings for it.

    Only a `safe` one waits for the disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="autolabel-postgresql-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, _USER)
    port, data = free_port(), folder / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += "" if safe else " -F"
    try:
        _run("initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8")
        _run("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield _settings(port)
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(port: int) -> dict[str, str]:
    return {
        "DJANGO_DB": "default",
        "POSTGRE_HOST": "127.0.0.1",
        "POSTGRE_PORT": str(port),
        "POSTGRE_NAME": _USER,
        "POSTGRE_USER": _USER,
        "POSTGRE_PASSWORD": "",
    }


def _run(program: str, *arguments: object) -> None:
    command: Sequence[str] = [str(programs() / program), *map(str, arguments)]
    identity = {"user": _USER, "group": getpwnam(_USER).pw_gid} if os.geteuid() == 0 else {}
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a server that it starts keeps this open
        stderr=subprocess.DEVNULL,
        timeout=_START_SECONDS,
        check=False,
        **identity,
    )
    assert done.returncode == 0, f"{program} ended with {done.returncode}"
