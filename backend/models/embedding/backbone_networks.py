"""Backbones as torch modules: uint8 images in, unit vectors out. Imports torch.

Normalisation of the colours and of the vector are part of the module, so that every runtime
computes the same thing.
"""

import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import torch
import torchvision
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from backend.domain.errors import BadInput, NoWeights
from backend.models.embedding.backbones import (
    DINOV2,
    DINOV2_URL,
    LITE0,
    TORCHVISION,
    WEIGHTS_HINT,
    Backbone,
)
from backend.models.embedding.vision_transformer import DinoV2

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LITE = (127 / 255,) * 3, (128 / 255,) * 3
"""MEAN_RGB and STDDEV_RGB of the original efficientnet_lite_builder.py."""

_NOT_WEIGHTS = (
    RuntimeError, KeyError, EOFError, ValueError, OSError, TypeError, AttributeError,
    pickle.UnpicklingError, SafetensorError,
)  # fmt: skip
"""What loading raises on files that hold another model's weights, or something else."""

Colours = tuple[tuple[float, ...], tuple[float, ...]]


class Embedder(nn.Module):
    """(n, side, side, 3) uint8 RGB to (n, d) float32 rows of length 1."""

    def __init__(self, body: nn.Module, side: int, colours: Colours) -> None:
        super().__init__()
        self.body = body
        self.side = side
        mean, deviation = (torch.tensor(values).reshape(1, 3, 1, 1) * 255 for values in colours)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, images: Tensor) -> Tensor:
        planes = images.permute(0, 3, 1, 2).float()
        mean, deviation = cast(Tensor, self.mean), cast(Tensor, self.deviation)
        features = self.body((planes - mean) / deviation).float()
        return features / features.norm(dim=1, keepdim=True).clamp_min(1e-12)


def load_network(backbone: Backbone) -> Embedder:
    """The backbone with its weights, on the CPU, ready for inference.

    Raises:
        NoWeights: when the weights are neither here nor to be downloaded, or are another model's.
        BadInput: when torchvision has no such classification model.
    """
    hint = WEIGHTS_HINT.format(name=backbone.name)
    try:
        network = _loader(backbone.name)(backbone)
    except URLError as exc:
        what = f"the weights of {backbone.name} cannot be downloaded ({exc.reason})"
        raise NoWeights(what, hint) from exc
    except _NOT_WEIGHTS as exc:
        source = backbone.file or "the downloaded file"
        why = (str(exc) or repr(exc)).splitlines()[0]
        raise NoWeights(
            f"{source} does not hold the weights of {backbone.name}: {why}", hint
        ) from exc
    return network.eval().requires_grad_(False)


def _loader(name: str) -> Callable[[Backbone], Embedder]:
    if name == LITE0:
        return _efficientnet_lite0
    return _dinov2 if name in DINOV2 else _torchvision


class _PooledLite(nn.Module):
    """EfficientNet-Lite without its classifier."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.extract_features(images).mean((2, 3))


def _efficientnet_lite0(backbone: Backbone) -> Embedder:
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - only this one needs it

    network = cast(Any, EfficientNet).from_name("efficientnet-lite0")
    if backbone.file:
        network.load_state_dict(_state(backbone.file))
    return Embedder(_PooledLite(network), 224, _LITE)


def _dinov2(backbone: Backbone) -> Embedder:
    width = 768 if "vitb" in backbone.name else 384
    url = DINOV2_URL.format(name=backbone.name)
    state = _state(backbone.file) if backbone.file else _published(url)
    network = DinoV2(width, heads=width // 64)
    network.load(state)
    return Embedder(network, 224, _IMAGENET)


def _published(url: str) -> Mapping[str, Tensor]:
    """From torch's own cache of weights, where torchvision's lie too."""
    return load_state_dict_from_url(url, map_location="cpu", progress=False, weights_only=True)


def _torchvision(backbone: Backbone) -> Embedder:
    name = backbone.name.removeprefix(TORCHVISION)
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise BadInput(
            f"AUTOLABEL_BACKBONE: torchvision has no classification model {name!r}",
            "Use a name such as torchvision:resnet50",
        )
    weights = cast(Any, torchvision.models).get_model_weights(name).DEFAULT
    network = torchvision.models.get_model(name, weights=None if backbone.file else weights)
    if backbone.file:
        network.load_state_dict(_state(backbone.file))
    _behead(network, name)
    crop = weights.transforms()
    return Embedder(network, crop.crop_size[0], (tuple(crop.mean), tuple(crop.std)))


def _behead(network: nn.Module, name: str) -> None:
    """Replace the last linear layer, which every such classifier ends with."""
    modules = cast(Iterable[tuple[str, nn.Module]], network.named_modules())
    linear = [path for path, module in modules if isinstance(module, nn.Linear)]
    if not linear:
        raise BadInput(f"AUTOLABEL_BACKBONE: {name} has no linear classifier to take off")
    network.set_submodule(linear[-1], nn.Identity())


def _state(path: Path) -> Mapping[str, Tensor]:
    """Tensors only: `weights_only` keeps a file from running code."""
    if path.suffix == ".safetensors":
        return cast(Any, safetensors).load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
