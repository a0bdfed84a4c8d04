"""Export the backbone to ONNX before the first job, for machines without a GPU.

Runs in a process of its own, because it needs torch, which the worker must not import before it
forks.
"""

import logging
import os
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from subprocess import Popen

from backend import settings
from backend.domain.errors import AutolabelError
from backend.models.embedding.backbones import Backbone, backbones, named
from backend.models.embedding.encoders import export_path, is_cpu_for_sure, open_encoder
from backend.processes.child_process import start_child
from backend.settings import Settings

log = logging.getLogger(__name__)

NICENESS = 10
"""Gives precedence to a web process on the same machine."""


@contextmanager
def beside(configured: Settings) -> Generator[Popen[str] | None]:
    """Export in the background while the block runs, unless the file exists; end with the block.

    Call from the main thread, because the process ends with the thread that started it.
    """
    process = _started(configured) if _has_to_export(configured) else None
    if process:  # reaped as soon as it ends, not when the worker does
        threading.Thread(target=process.wait, name="reap-warm-up", daemon=True).start()
    try:
        yield process
    finally:
        if process:
            process.kill()
            process.wait()


def _has_to_export(configured: Settings) -> bool:
    if not is_cpu_for_sure(configured.device):
        return False
    try:
        paths = [export_path(one, configured.data_dir) for one in _first(configured)]
        return not all(path.is_file() for path in paths)
    except AutolabelError as exc:
        log.warning("the backbone is not exported ahead of the first job: %s", exc)
        return False


def _first(configured: Settings) -> Sequence[Backbone]:
    """Return what the first job needs, unless it is a `precise` one. Raises AutolabelError."""
    return backbones(named(configured), configured)


def _started(configured: Settings) -> Popen[str]:
    return start_child(
        [sys.executable, "-m", __name__],
        environment={**os.environ, **settings.environment(configured)},
        output=None,
    )


def _prepare() -> None:
    """Export the backbone. A failure is only logged: the job that needs it will report it."""
    os.nice(NICENESS)
    configured = settings.load()
    try:
        for one in _first(configured):
            open_encoder(one, "cpu", configured)
    except AutolabelError as exc:
        log.warning("the backbone could not be exported: %s", exc)


if __name__ == "__main__":
    _prepare()
