"""Share the exported image encoder between the installations of a test run.

An export loads torch and takes twenty seconds of processor time; each new data folder needs one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED = Path(os.environ.get("XDG_CACHE_HOME", tempfile.gettempdir())) / "autolabel-tests"


@contextmanager
def shared(data_dir: Path) -> Iterator[None]:
    """Start with the encoders that earlier installations exported, and add what this one does.

    The file names tell weights and versions apart, so a stale file is never used.
    """
    weights = data_dir / "weights"
    _copy(SHARED, weights)
    try:
        yield
    finally:
        _copy(weights, SHARED)


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.onnx"):
        if not (target / path.name).exists():
            draft = target / f".{path.name}.{os.getpid()}"
            shutil.copyfile(path, draft)
            draft.replace(target / path.name)
