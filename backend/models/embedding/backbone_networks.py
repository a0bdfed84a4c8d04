"""Backbones as torch modules: uint8 images in, unit vectors out. Imports torch.

Colour and vector normalisation are part of the module, so that every runtime computes the same.
"""

import difflib
import os
import pickle
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
import torchvision
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from backend.domain.errors import BadInput, NoWeights
from backend.models.embedding.backbones import LITE, TIMM, TORCHVISION, Backbone
from backend.models.published_weights import hub_folder, is_reachable

_LITE_COLOURS = (127 / 255,) * 3, (128 / 255,) * 3
"""MEAN_RGB and STDDEV_RGB of the original efficientnet_lite_builder.py."""

_DINOV2_SIDE = 224
"""DINOv2 is evaluated at 224 pixels (Oquab et al. 2023); timm's 518 means 5 times the tokens."""

_NOT_WEIGHTS = (
    RuntimeError, KeyError, EOFError, ValueError, OSError, TypeError, AttributeError,
    pickle.UnpicklingError, SafetensorError,
)  # fmt: skip
"""Exceptions from loading files that hold another model's weights, or no weights at all."""

Colours = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, for values in [0, 1]."""


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
    """Return the backbone with its weights, on the CPU, ready for inference.

    Raises:
        NoWeights: when the weights can be neither found nor downloaded, or are another model's.
        BadInput: when timm or torchvision has no such model.
    """
    if backbone.name in LITE:
        load = _lite
    else:
        load = _timm if backbone.name.startswith(TIMM) else _torchvision
    try:
        network = load(backbone)
    except _NOT_WEIGHTS as exc:
        reason = " ".join(str(exc).split())[:200] or repr(exc)
        if backbone.file:
            what = f"{backbone.file} does not hold the weights of {backbone.name}: {reason}"
        else:
            what = f"the weights of {backbone.name} cannot be downloaded ({reason})"
        raise NoWeights(what, backbone.hint) from exc
    return network.eval().requires_grad_(False)


class _PooledLite(nn.Module):
    """EfficientNet-Lite without its classifier."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.extract_features(images).mean((2, 3))


def _lite(backbone: Backbone) -> Embedder:
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - only these models need it

    network = cast(Any, EfficientNet).from_name(backbone.name.replace("_", "-"))
    if backbone.file:
        network.load_state_dict(_state(backbone.file))
    return Embedder(_PooledLite(network), LITE[backbone.name], _LITE_COLOURS)


def _timm(backbone: Backbone) -> Embedder:
    """Load strictly, with the head as published, and take the head off afterwards."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, at the import
    timm = import_module("timm")  # takes seconds, and has no type stubs
    name = backbone.name.removeprefix(TIMM)
    _require_published(timm, name)
    config = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {"img_size": _DINOV2_SIDE} if "_dinov2" in name else {}
    side = options.get("img_size") or _side(name, config.input_size)
    if file := backbone.file or _downloaded(config.hf_hub_id):
        options["pretrained_cfg_overlay"] = {"file": str(file), "custom_load": False}
    elif not is_reachable(backbone.host):  # the hub's client would retry for a minute
        raise ConnectionError(f"{backbone.host} does not answer")
    network = timm.create_model(name, pretrained=True, **options)
    network.reset_classifier(0)
    return Embedder(network, side, (config.mean, config.std))


def _require_published(timm: Any, name: str) -> None:
    """Raises BadInput when timm has no such model, or no weights of it."""
    published: list[str] = timm.list_models(pretrained=True)
    if name in published or name in {full.partition(".")[0] for full in published}:
        return
    near = difflib.get_close_matches(name, published, n=3) or ["resnet18.a1_in1k"]
    raise BadInput(
        f"AUTOLABEL_BACKBONE: timm has no pretrained model {name!r}",
        f"Use {TIMM} and a name such as {', '.join(near)}",
    )


def _downloaded(repository: str | None) -> Path | None:
    """Return the weights in the hub's cache; with these, nothing is asked of the hub."""
    if not repository:
        return None
    cached = import_module("huggingface_hub").try_to_load_from_cache(
        repository, "model.safetensors", cache_dir=hub_folder()
    )
    return Path(cached) if isinstance(cached, str) else None


def _side(name: str, size: tuple[int, int, int]) -> int:
    channels, height, width = size
    if channels != 3 or height != width:
        raise BadInput(
            f"AUTOLABEL_BACKBONE: {name} takes {width} x {height} images of {channels} channels",
            "Use a model of square RGB images",
        )
    return height


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
    _remove_classifier(network, name)
    crop = weights.transforms()
    return Embedder(network, crop.crop_size[0], (tuple(crop.mean), tuple(crop.std)))


def _remove_classifier(network: nn.Module, name: str) -> None:
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
