"""The pretrained networks of Hugging Face `transformers`, and where to look for them.

Imports neither torch nor `transformers`, so that the web process can check whether they are there.
"""

import json
import os
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from backend.domain.errors import NoWeights
from backend.models.published_weights import hub_folder, hub_host, is_reachable

CONFIG, WEIGHTS = "config.json", "model.safetensors"
"""Files of a network as `save_pretrained` writes them."""

KINDS = ("d_fine", "rt_detr", "rt_detr_v2")
"""`model_type` of the networks that this engine trains: they take images of any shape, unscaled
RGB in [0, 1], and need no non-maximum suppression."""

_HINT = (
    "Set AUTOLABEL_DETECTOR to transformers:/path/to/folder, a folder with config.json and"
    " model.safetensors, or put that folder into weights/ of AUTOLABEL_DATA_DIR"
)
_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""What the hub names a model: owner and model."""


@dataclass(frozen=True, slots=True)
class PretrainedFolder:
    """The folder of a network: `setting` is its path, or a name on the Hugging Face hub.

    `weights`: where folders of one's own are looked up by name.
    """

    setting: str
    weights: Path

    def check(self) -> None:
        """Raise NoWeights if the network is not here and cannot be downloaded either."""
        if find_spec("transformers") is None:
            raise NoWeights(
                f"the detector {self.setting} needs the package transformers",
                "Run pip install 'label-studio-autolabel[transformers]',"
                " or set AUTOLABEL_DETECTOR to another detector",
            )
        if folder := self.local():
            _check_kind(folder)
        elif not self._may_download():
            what = f"the detector {self.setting} is not on this machine"
            raise NoWeights(f"{what}, and cannot be downloaded", _HINT)

    def local(self) -> Path | None:
        """Find the folder on this machine: as a path, below `weights`, or in the hub's cache."""
        own = (Path(self.setting).expanduser(), self.weights / self.setting)
        cached = hub_folder() / f"models--{self.setting.replace('/', '--')}" / "snapshots"
        places = (*own, *cached.glob("*")) if _NAME.fullmatch(self.setting) else own
        return next((one for one in places if _is_complete(one)), None)

    def folder(self) -> Path:
        """Return the folder, downloaded if need be. Raises NoWeights."""
        self.check()
        return self.local() or self._downloaded()

    def _may_download(self) -> bool:
        is_name = bool(_NAME.fullmatch(self.setting)) and not Path(self.setting).exists()
        return is_name and not _forbids_downloads() and is_reachable(hub_host().partition(":")[0])

    def _downloaded(self) -> Path:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, at the import
        hub = import_module("huggingface_hub")
        try:
            folder = Path(hub.snapshot_download(self.setting, allow_patterns=[CONFIG, WEIGHTS]))
        except (OSError, ValueError) as exc:  # its HTTP errors are OSErrors
            what = f"the detector {self.setting} cannot be downloaded: {exc}"
            raise NoWeights(what, _HINT) from exc
        if not _is_complete(folder):
            raise NoWeights(f"{self.setting} has no {CONFIG} or no {WEIGHTS}", _HINT)
        _check_kind(folder)
        return folder


def _is_complete(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def _check_kind(folder: Path) -> None:
    """Raise NoWeights for networks that this engine cannot train."""
    try:
        config = cast("dict[str, Any]", json.loads((folder / CONFIG).read_text("utf-8")))
        kind = str(config["model_type"])
    except (ValueError, LookupError, TypeError) as exc:
        raise NoWeights(f"{folder / CONFIG} describes no network", _HINT) from exc
    if kind not in KINDS:
        raise NoWeights(
            f"{folder} holds a network of the kind {kind}", f"Choose one of {', '.join(KINDS)}"
        )


def _forbids_downloads() -> bool:
    """Return whether the user told Hugging Face's libraries to stay offline."""
    asked = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.strip().lower() in {"1", "true", "yes", "on"} for value in asked)
