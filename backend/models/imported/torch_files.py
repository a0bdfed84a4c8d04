"""Classifiers of timm and torchvision, and those of Ultralytics. Imports torch."""

import importlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from backend.domain.arrays import Floats, Pixels
from backend.domain.errors import BadInput
from backend.models.imported.card import ImportedCard, PixelScaling
from backend.models.imported.onnx_files import as_probabilities, scaled

_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    AttributeError,
    ImportError,
    LookupError,
    EOFError,
)
"""Exceptions of `torch.load` on a file that is no checkpoint, or needs classes not found here."""

TIMM, TORCHVISION = "timm:", "torchvision:"


@dataclass(frozen=True, slots=True)
class TorchClassifier:
    """Implements `PixelProbabilities` for a network of timm or torchvision."""

    network: Any
    scaling: PixelScaling
    device: str

    def __call__(self, images: Sequence[Pixels]) -> Floats:
        pixels = np.stack([scaled(image, self.scaling) for image in images])
        with torch.inference_mode():
            logits = self.network(torch.tensor(pixels, device=self.device))
        return as_probabilities(logits.float().cpu().numpy().astype(np.float64))


@dataclass(frozen=True, slots=True)
class UltralyticsClassifier:
    """Implements `PixelProbabilities` for a checkpoint of Ultralytics."""

    model: Any
    device: str

    def __call__(self, images: Sequence[Pixels]) -> Floats:
        results = self.model.predict(list(images), device=self.device, verbose=False, save=False)
        return np.stack([result.probs.data.float().cpu().numpy() for result in results])


def open_classifier(card: ImportedCard, folder: Path, device: str) -> TorchClassifier:
    """Build the network and load its weights.

    Raises:
        BadInput: when they do not fit each other.
    """
    network = empty_network(card.architecture, len(card.names))
    try:
        network.load_state_dict(weights(folder / card.file))
    except RuntimeError as exc:
        what = str(exc).splitlines()[0]
        raise BadInput(f"{card.source} are not weights of {card.architecture}: {what}") from exc
    return TorchClassifier(network.eval().to(device), card.scaling or PixelScaling(), device)


def empty_network(architecture: str, classes: int) -> Any:
    """Build a network without weights. Raises BadInput for an unknown architecture."""
    try:
        if architecture.startswith(TORCHVISION):
            models = importlib.import_module("torchvision.models")
            return models.get_model(
                architecture.removeprefix(TORCHVISION), weights=None, num_classes=classes
            )
        timm = importlib.import_module("timm")
        return timm.create_model(architecture.removeprefix(TIMM), num_classes=classes)
    except (ValueError, RuntimeError, LookupError) as exc:
        raise BadInput(f"there is no architecture {architecture}: {exc}") from exc


def scaling_of(architecture: str, network: Any) -> PixelScaling:
    """Return how the pixels of a network are prepared, as its library says."""
    if architecture.startswith(TORCHVISION):
        return PixelScaling()
    data = importlib.import_module("timm.data")
    config = data.resolve_model_data_config(network)
    return PixelScaling(
        int(config["input_size"][-1]),
        float(config["crop_pct"]),
        tuple(config["mean"]),
        tuple(config["std"]),
    )


def weights(path: Path, *, trust: bool = False) -> dict[str, Any]:
    """Read the tensors of a file; pickles too, of which only trusted ones may hold more."""
    if path.suffix == ".safetensors":
        tensors = importlib.import_module("safetensors.torch")
        return cast("dict[str, Any]", tensors.load_file(path))
    try:
        found = torch.load(path, map_location="cpu", weights_only=not trust)
    except _UNREADABLE as exc:
        hint = "Convert it to safetensors, or import it with --trust if you trust its maker"
        raise BadInput(f"{path.name} cannot be read as weights", hint) from exc
    state = found.state_dict() if hasattr(found, "state_dict") else found
    return cast("dict[str, Any]", state.get("state_dict", state))
