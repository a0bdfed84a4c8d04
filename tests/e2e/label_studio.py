"""A real Label Studio for tests: found, set up once, copied for each run."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.processes.label_studio_server import LabelStudioProcess, free_port

USERNAME = "a@b.co"
PASSWORD = "secret123"
TOKEN = "0123456789abcdef0123456789abcdef01234567"

REPOSITORY = Path(__file__).parents[2]
NO_SYNC = {"PYTHONPATH": str(Path(__file__).parent / "label_studio_site")}
"""For Label Studio's environment: it does not wait for the disk and takes less processor time."""


def binary() -> Path:
    """Label Studio's command; without one the test is skipped, and fails where CI is true."""
    default = REPOSITORY / ".venv-label-studio" / "bin" / "label-studio"
    found = Path(os.environ.get("LABEL_STUDIO_BIN") or default)
    if found.exists():
        return found
    message = f"no Label Studio at {found}; set LABEL_STUDIO_BIN"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def running(
    data_dir: Path,
    command: Path | None = None,
    *,
    as_installed: bool = False,
    **environment: str,
) -> Iterator[LabelStudioProcess]:
    """A Label Studio on `data_dir` for as long as the block lasts, quick unless `as_installed`."""
    site = {"PYTHONPATH": ""} if as_installed else NO_SYNC
    process = LabelStudioProcess(
        command or binary(),
        data_dir,
        free_port(),
        username=USERNAME,
        password=PASSWORD,
        token=TOKEN,
        environment={**site, **environment},
    )
    process.start()
    try:
        process.wait(600)  # setting up a database takes 15 s, on a busy machine far more
        yield process
    finally:
        process.stop()


def new_data_dir(parent: Path, templates: Path) -> Path:
    """A data folder with an empty database, copied from a template kept in `templates`.

    Setting up a database takes three times as long as starting on a ready one.
    """
    template = templates / _identity(binary())
    with (templates / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not template.exists():
            fresh = Path(tempfile.mkdtemp(dir=templates))
            with running(fresh):
                pass
            fresh.rename(template)
    return Path(shutil.copytree(template, parent / "label-studio"))


def _identity(command: Path) -> str:
    """Changes when another Label Studio is installed at this place."""
    packages = sorted(command.parents[1].glob("lib/python*/site-packages/label_studio-*.dist-info"))
    stamp = f"{command.resolve()} {[package.name for package in packages]}"
    return hashlib.sha256(stamp.encode()).hexdigest()[:16]
