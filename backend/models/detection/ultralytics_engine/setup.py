"""Set up Ultralytics so that it writes below one folder only, and sends and downloads nothing.

Ultralytics reads its environment once, on import: where its settings file lies, and whether it may
use the network, install packages or print. So it must be imported here first.
"""

import importlib
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from PIL import Image

_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def import_configured(home: Path) -> ModuleType:
    """Import Ultralytics, configured to write its own files below `home`.

    Safe to call again; only the first call in a process has an effect.
    """
    environment = {
        "YOLO_CONFIG_DIR": str(home),
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
    }
    with _environment(environment), _pillow_restored():
        library = importlib.import_module("ultralytics")
    _disable_reporting(cast("dict[str, Any]", library.settings), home)
    return library


def forbids_downloads() -> bool:
    """Return whether the user told Ultralytics to stay offline."""
    return os.environ.get("YOLO_OFFLINE", "").strip().lower() in {
        "1",
        "true",
        "yes",
        "on",
        "y",
        "t",
    }


def download(name: str, into: Path, home: Path) -> Path:
    """Download a checkpoint that Ultralytics publishes under this name.

    Raises:
        ConnectionError: when it cannot be downloaded.
    """
    import_configured(home)
    downloads = importlib.import_module("ultralytics.utils.downloads")
    into.mkdir(parents=True, exist_ok=True)
    path = Path(downloads.attempt_download_asset(str(into / name)))
    if not path.is_file():
        raise ConnectionError(f"Ultralytics publishes no checkpoint named {name}")
    return path


def _disable_reporting(settings: dict[str, Any], home: Path) -> None:
    wanted: dict[str, Any] = {
        "sync": False,
        "runs_dir": str(home / "runs"),
        "weights_dir": str(home / "weights"),
        "datasets_dir": str(home / "datasets"),
    } | {name: False for name in _INTEGRATIONS if name in settings}
    if any(settings.get(key) != value for key, value in wanted.items()):
        settings.update(wanted)


@contextmanager
def _pillow_restored() -> Generator[None]:
    """Undo that Ultralytics replaces `Image.open` of Pillow for the whole process.

    For a broken file its version reports a missing HEIF plugin instead of the actual error.
    """
    own = Image.open
    try:
        yield
    finally:
        Image.open = own


@contextmanager
def _environment(changes: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
