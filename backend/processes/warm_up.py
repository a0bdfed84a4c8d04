"""Export backbones to ONNX before a job needs them, for machines without a GPU.

Runs in a process of its own, because it needs torch, which the worker must not import before it
forks, and because an export can only be broken off by ending its process.
"""

import logging
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from subprocess import Popen, TimeoutExpired

from backend import settings
from backend.domain.errors import AutolabelError
from backend.domain.steps import Step
from backend.models.embedding.backbones import backbones, named
from backend.models.embedding.encoders import export_path, is_cpu_for_sure, open_encoder
from backend.ports.progress import Progress
from backend.processes.child_process import start_child
from backend.settings import Settings

log = logging.getLogger(__name__)

NICENESS = 10
"""Gives precedence to a web process on the same machine."""

LOOK_EVERY = 0.2
"""Seconds between two calls of `progress` during an export."""


@contextmanager
def beside(configured: Settings) -> Generator[Popen[str] | None]:
    """Export in the background while the block runs, unless the file exists; end with the block.

    Call from the main thread, because the process ends with the thread that started it.
    """
    first = named(configured)
    process = _started(configured, first) if _has_to_export(configured, first) else None
    if process:  # reaped as soon as it ends, not when the worker does
        threading.Thread(target=process.wait, name="reap-warm-up", daemon=True).start()
    try:
        yield process
    finally:
        if process:
            process.kill()
            process.wait()


def export_ahead(configured: Settings, name: str, progress: Progress) -> None:
    """Export the backbones of a name that are missing, and wait; whatever ends this ends them.

    Call from the main thread, as `beside`. Where an export fails, its file stays missing.

    Args:
        configured: settings of this installation.
        name: one backbone, or several joined by `+`.
        progress: called a few times a second; what it raises breaks the export off.
    """
    if not _has_to_export(configured, name):
        return
    process = _started(configured, name)
    try:
        while not _ended(process):
            progress(Step.EMBED, 0, 1, f"exporting {name}")
    finally:
        process.kill()
        process.wait()


def _ended(process: Popen[str]) -> bool:
    """Wait a moment; return whether the process ended."""
    try:
        process.wait(LOOK_EVERY)
    except TimeoutExpired:
        return False
    return True


def _has_to_export(configured: Settings, name: str) -> bool:
    if not is_cpu_for_sure(configured.device):
        return False
    try:
        paths = [export_path(one, configured.data_dir) for one in backbones(name, configured)]
        return not all(path.is_file() for path in paths)
    except AutolabelError as exc:
        log.warning("%s is not exported ahead of the first job: %s", name, exc)
        return False


def _started(configured: Settings, name: str) -> Popen[str]:
    return start_child(
        [sys.executable, "-m", __name__, name],
        environment={**os.environ, **settings.environment(configured)},
        output=None,
    )


def _prepare(name: str) -> None:
    """Export the backbones. A failure is only logged: the job that needs them will report it."""
    os.nice(NICENESS)
    configured = settings.load()
    try:
        for one in backbones(name, configured):
            open_encoder(one, "cpu", configured)
    except AutolabelError as exc:
        log.warning("%s could not be exported: %s", name, exc)


if __name__ == "__main__":
    _prepare(sys.argv[1])
