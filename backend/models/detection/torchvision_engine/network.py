"""Implements `engine.Network` with torchvision: build, initialize, run, save and load."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url
from torchvision.models import get_model
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.ssd import SSD
from torchvision.ops import nms

from backend.domain.errors import NoWeights
from backend.models.detection.engine import Callers, Detections, PixelBatch, require_weights
from backend.models.detection.letterboxed_dataset import to_tensor
from backend.models.detection.torchvision_engine.weights import PretrainedWeights, known

_WEIGHTS = "weights.safetensors"
BACKGROUND = 1
"""Classes before the first label: torchvision's class 0 is the background."""

_DETECTORS = (FasterRCNN, RetinaNet, FCOS, SSD)
"""Detectors that train on boxes alone; their subclasses need masks or keypoints too."""

_OVERLAP = 0.5
"""IoU of non-maximum suppression across labels; torchvision's own default."""


@dataclass(frozen=True, slots=True)
class TorchvisionNetwork:
    """The network `name` on `device`, for images whose longer side is `image_size` pixels."""

    module: nn.Module
    name: str
    classes: int
    image_size: int
    device: str
    across_labels: bool

    @property
    def callers(self) -> Callers | None:
        return None

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        _set_min_score(self.module, min_score)
        self.module.eval()
        with torch.inference_mode():
            outputs = self.module(list(to_tensor(batch).to(self.device)))
        return [self._detections(output) for output in outputs]

    def save(self, folder: Path) -> None:
        state = {name: value.cpu().contiguous() for name, value in self.module.state_dict().items()}
        about = {"name": self.name, "classes": self.classes, "image_size": self.image_size}
        save_file(state, folder / _WEIGHTS, {key: str(value) for key, value in about.items()})

    def _detections(self, output: Mapping[str, Tensor]) -> Detections:
        real = output["labels"] >= BACKGROUND  # FCOS and RetinaNet report the background too
        boxes, labels, scores = (output[key][real] for key in ("boxes", "labels", "scores"))
        kept = nms(boxes, scores, _OVERLAP) if self.across_labels else slice(None)
        arrays = (boxes[kept], labels[kept] - BACKGROUND, scores[kept])
        return Detections(*(cast(Any, array.cpu().numpy()) for array in arrays))


def build(name: str, classes: int, image_size: int) -> nn.Module:
    """Build an untrained network that takes images unscaled; SSD scales them to its own size."""
    sizes = {} if name.startswith("ssd") else {"min_size": image_size, "max_size": image_size}
    options = {"weights": None, "weights_backbone": None, "num_classes": classes + BACKGROUND}
    return cast(Any, get_model)(name, **options, **sizes)


def from_pretrained(
    start: PretrainedWeights, classes: int, image_size: int, device: str, *, across_labels: bool
) -> TorchvisionNetwork:
    """Build a network and copy all pretrained weights that fit.

    Raises:
        NoWeights: when they cannot be downloaded, or none fits this network.
    """
    module = _detector(start.name, classes, image_size)
    file = start.file or start.coco()
    if file:
        copied = copy_fitting(module, _state(file))
    elif imagenet := start.imagenet():
        copied = copy_fitting(module, _backbone(_state(imagenet)))
    else:
        copied = copy_fitting(module, _downloaded(start))
    if not copied:
        raise NoWeights(f"{file} holds no weights for {start.name}", "Name the network it is for")
    return TorchvisionNetwork(
        module.to(device), start.name, classes, image_size, device, across_labels
    )


def _detector(name: str, classes: int, image_size: int) -> nn.Module:
    what = f"torchvision has no detector {name}"
    try:
        module = build(name, classes, image_size)
    except (ValueError, TypeError) as exc:
        raise NoWeights(what, known()) from exc
    if type(module) not in _DETECTORS:
        raise NoWeights(what, known())
    return module


def copy_fitting(module: nn.Module, state: Mapping[str, Tensor]) -> int:
    """Copy every tensor that fits by name and shape, and return how many.

    Heads for another number of labels do not fit.
    """
    own = module.state_dict()
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and value.shape == own[name].shape
    }
    module.load_state_dict(fitting, strict=False)
    return len(fitting)


def load(
    folder: Path, device: str, *, across_labels: bool, image_size: int | None = None
) -> TorchvisionNetwork:
    """Load what `TorchvisionNetwork.save` wrote; safetensors files hold no code.

    `image_size`: run at this size instead of the one that it was trained at.
    """
    with safe_open(require_weights(folder / _WEIGHTS), "pt") as file:
        about = cast("dict[str, str]", cast(Any, file).metadata())
    name, classes = about["name"], int(about["classes"])
    size = image_size or int(about["image_size"])
    module = build(name, classes, size)
    module.load_state_dict(load_file(folder / _WEIGHTS))
    return TorchvisionNetwork(module.to(device), name, classes, size, device, across_labels)


def _state(file: Path) -> Mapping[str, Tensor]:
    """Read weights from a safetensors file, or from a pickle that may hold nothing else."""
    hint = "Save a state_dict only"
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = cast("Mapping[str, Any]", torch.load(file, "cpu", weights_only=True))
    except pickle.UnpicklingError as exc:
        raise NoWeights(f"{file} holds more than weights", hint) from exc
    except (SafetensorError, RuntimeError, EOFError, ValueError) as exc:
        raise NoWeights(f"{file} holds no weights: {exc}", hint) from exc
    if not hasattr(state, "items"):
        raise NoWeights(f"{file} holds no weights by name", hint)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _downloaded(start: PretrainedWeights) -> Mapping[str, Tensor]:
    try:
        return load_state_dict_from_url(
            start.url(),
            str(start.weights),
            "cpu",
            progress=False,
            check_hash=True,
            weights_only=True,
        )
    except (OSError, RuntimeError) as exc:  # no network; or not the file that was published
        raise NoWeights(f"the weights of {start.name} cannot be downloaded", str(exc)) from exc


def _backbone(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Rename a classifier's weights as they are named in a detector."""
    return {f"backbone.body.{key.removeprefix('features.')}": part for key, part in state.items()}


def _set_min_score(module: nn.Module, min_score: float) -> None:
    """Set the lowest score to report; Faster R-CNN keeps it in its heads."""
    holder = cast(Any, getattr(module, "roi_heads", module))
    holder.score_thresh = min_score
