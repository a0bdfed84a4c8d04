"""Classifiers that timm and torchvision publish, with the classes that they know. Imports torch."""

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor
from torch.hub import load_state_dict_from_url

from backend.domain.errors import BadInput, NoWeights
from backend.models.embedding.backbones import Backbone
from backend.models.imported.card import PixelScaling
from backend.models.imported.torch_files import TIMM, TORCHVISION, scaling_of, weights
from backend.models.published_weights import hub_folder, is_reachable, torch_folder


@dataclass(frozen=True, slots=True)
class PublishedClassifier:
    """`names` of its classes in the order of its outputs, its weights, and how to scale pixels."""

    names: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    scaling: PixelScaling


def published(architecture: str) -> PublishedClassifier:
    """Find a classifier in the cache of torch or of Hugging Face, or download it.

    Args:
        architecture: such as `timm:resnet18.a1_in1k` or `torchvision:resnet18`.

    Raises:
        BadInput: when no classifier of that name is published, or its classes have no names.
        NoWeights: when it is not here and cannot be downloaded.
    """
    if architecture.startswith(TORCHVISION):
        return _of_torchvision(architecture.removeprefix(TORCHVISION))
    return _of_timm(architecture.removeprefix(TIMM))


def _of_torchvision(name: str) -> PublishedClassifier:
    models = importlib.import_module("torchvision.models")
    known: list[str] = models.list_models(module=models)
    if name not in known:
        raise _unknown(TORCHVISION, name, known)
    chosen = models.get_model_weights(name).DEFAULT
    crop = chosen.transforms()
    side = int(crop.crop_size[0])
    scaling = PixelScaling(side, side / int(crop.resize_size[0]), tuple(crop.mean), tuple(crop.std))
    local = _local(Backbone(TORCHVISION + name), chosen.url)
    tensors = weights(local) if local else _from_url(name, chosen.url)
    return PublishedClassifier(tuple(chosen.meta["categories"]), tensors, scaling)


def _from_url(name: str, url: str) -> Mapping[str, Tensor]:
    try:
        return cast(
            "Mapping[str, Tensor]",
            load_state_dict_from_url(
                url, str(torch_folder()), "cpu", progress=False, check_hash=True, weights_only=True
            ),
        )
    except (OSError, RuntimeError) as exc:  # no network; or not the file that was published
        what = f"the weights of {TORCHVISION}{name} cannot be downloaded: {exc}"
        raise NoWeights(what, f"Fetch {url} into {torch_folder()}") from exc


def _of_timm(name: str) -> PublishedClassifier:
    timm = importlib.import_module("timm")
    known: list[str] = timm.list_models(pretrained=True)
    if name not in known and name not in {full.partition(".")[0] for full in known}:
        raise _unknown(TIMM, name, known)
    config = timm.get_pretrained_cfg(name)
    repository = f"model.safetensors of {config.hf_hub_id}"
    local = _local(Backbone(f"{TIMM}{config.architecture}.{config.tag}"), repository)
    overlay = {"file": str(local), "custom_load": False} if local else None
    try:
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except (OSError, RuntimeError) as exc:
        what = f"the weights of {TIMM}{name} cannot be loaded: {exc}"
        raise NoWeights(what, f"Fetch {repository} into {hub_folder()}") from exc
    scaling: PixelScaling = scaling_of(TIMM + name, network)
    return PublishedClassifier(_names(name, network), network.state_dict(), scaling)


def _names(name: str, network: Any) -> tuple[str, ...]:
    """Return the first word for each class of ImageNet, which timm tells from their number."""
    data = importlib.import_module("timm.data")
    subset = data.infer_imagenet_subset(network)
    if not subset:
        raise BadInput(
            f"{TIMM}{name} does not say what its {network.num_classes} classes are called",
            "Save its weights to a file, with label_names in a config.json beside it",
        )
    described: list[str] = data.ImageNetInfo(subset).label_descriptions()
    return tuple(text.partition(",")[0] for text in described)


def _local(chosen: Backbone, published_as: str) -> Path | None:
    """Return the cached file; None where it may be downloaded. Raises NoWeights."""
    local = chosen.downloaded()
    if not local and not is_reachable(chosen.host):  # the hub's client would retry for a minute
        what = f"the weights of {chosen.name} are not on this machine"
        cache = hub_folder() if chosen.name.startswith(TIMM) else torch_folder()
        raise NoWeights(
            f"{what}, and {chosen.host} does not answer", f"Fetch {published_as} into {cache}"
        )
    return local


def _unknown(library: str, name: str, known: Sequence[str]) -> BadInput:
    near = difflib.get_close_matches(name, known, n=3) or known[:3]
    what = f"{library.removesuffix(':')} publishes no classifier {name!r}"
    return BadInput(what, f"Use {library} and a name such as {', '.join(near)}")
