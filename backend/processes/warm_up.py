"""What a worker prepares before its first job: the backbone as an ONNX file, for the CPU.

A process of its own does it, since it needs torch, which the worker's parent must never import.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from backend import settings
from backend.domain.errors import AutolabelError
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoders import export_path, is_cpu_for_sure, open_encoder
from backend.processes.child_process import tied
from backend.settings import Settings

log = logging.getLogger(__name__)

NICENESS = 10
"""A web process that answers on the same machine comes first."""


@contextmanager
def beside(configured: Settings) -> Generator[subprocess.Popen[bytes] | None]:
    """Prepare while the block runs, where anything is to be prepared; ends with the block.

    Call from the main thread: what runs ends with the thread that started it.
    """
    process = _started(configured) if _has_to_export(configured) else None
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
        return not export_path(backbone(configured), configured.data_dir).is_file()
    except AutolabelError as exc:
        log.warning("nothing is prepared for the first job: %s", exc)
        return False


def _started(configured: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        tied([sys.executable, "-m", __name__]),
        env={**os.environ, **settings.environment(configured)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _prepare() -> None:
    """What fails here fails again in the job that needs it, which tells it to people."""
    os.nice(NICENESS)
    configured = settings.load()
    try:
        open_encoder(backbone(configured), "cpu", configured)
    except AutolabelError as exc:
        log.warning("the backbone is not prepared: %s", exc)


if __name__ == "__main__":
    _prepare()
