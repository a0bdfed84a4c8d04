"""Detection networks of torchvision, under the BSD-3 licence: built, started, used and saved."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
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
from backend.models.detection.engine import Canvases, Found, saved
from backend.models.detection.torchvision_engine.weights import Start, known

_WEIGHTS = "weights.safetensors"
_BACKGROUND = 1
"""torchvision's class 0 is the background; ours begin after it."""

_DETECTORS = (FasterRCNN, RetinaNet, FCOS, SSD)
"""What learns from boxes alone; its relatives want masks or points too."""

_OVERLAP = 0.5
"""IoU from which two boxes are one, where labels exclude each other; torchvision's own value."""


@dataclass(frozen=True, slots=True)
class TorchvisionNetwork:
    """A network by `name`, on `device`, for canvases whose longer side is `image_size`."""

    module: nn.Module
    name: str
    classes: int
    image_size: int
    device: str
    across_labels: bool

    def detect(self, canvases: Canvases, floor: float) -> Sequence[Found]:
        _set_floor(self.module, floor)
        self.module.eval()
        with torch.inference_mode():
            outputs = self.module(list(to_tensor(canvases).to(self.device)))
        return [self._found(output) for output in outputs]

    def save(self, folder: Path) -> None:
        state = {name: value.cpu().contiguous() for name, value in self.module.state_dict().items()}
        about = {"name": self.name, "classes": self.classes, "image_size": self.image_size}
        save_file(state, folder / _WEIGHTS, {key: str(value) for key, value in about.items()})

    def _found(self, output: Mapping[str, Tensor]) -> Found:
        real = output["labels"] >= _BACKGROUND  # FCOS and RetinaNet report the background too
        boxes, labels, scores = (output[key][real] for key in ("boxes", "labels", "scores"))
        kept = nms(boxes, scores, _OVERLAP) if self.across_labels else slice(None)
        arrays = (boxes[kept], labels[kept] - _BACKGROUND, scores[kept])
        return Found(*(cast(Any, array.cpu().numpy()) for array in arrays))


def build(name: str, classes: int, image_size: int) -> nn.Module:
    """An untrained network that takes canvases as they are; SSD scales them to its own size."""
    sizes = {} if name.startswith("ssd") else {"min_size": image_size, "max_size": image_size}
    options = {"weights": None, "weights_backbone": None, "num_classes": classes + _BACKGROUND}
    return cast(Any, get_model)(name, **options, **sizes)


def started(
    start: Start, classes: int, image_size: int, device: str, *, across_labels: bool
) -> TorchvisionNetwork:
    """A network that holds all it can take over from its start.

    Raises:
        NoWeights: when they cannot be downloaded, or hold nothing for this network.
    """
    module = _detector(start.name, classes, image_size)
    file = start.file or start.coco()
    if file:
        taken = start_from(module, _state(file))
    elif imagenet := start.imagenet():
        taken = start_from(module, _backbone(_state(imagenet)))
    else:
        taken = start_from(module, _downloaded(start))
    if not taken:
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


def start_from(module: nn.Module, state: Mapping[str, Tensor]) -> int:
    """Take over every tensor that fits by name and shape; heads for other labels do not.

    Returns how many were taken over.
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
    """A network as `TorchvisionNetwork.save` wrote it; safetensors hold no code.

    `image_size`: for canvases of another size than those that it saw so far.
    """
    with safe_open(saved(folder / _WEIGHTS), "pt") as file:
        about = cast("dict[str, str]", cast(Any, file).metadata())
    name, classes = about["name"], int(about["classes"])
    size = image_size or int(about["image_size"])
    module = build(name, classes, size)
    module.load_state_dict(load_file(folder / _WEIGHTS))
    return TorchvisionNetwork(module.to(device), name, classes, size, device, across_labels)


def _state(file: Path) -> Mapping[str, Tensor]:
    """Weights from a safetensors file or a pickle that may hold nothing else."""
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


def _downloaded(start: Start) -> Mapping[str, Tensor]:
    try:
        return load_state_dict_from_url(
            start.url(),
            str(start.weights),
            "cpu",
            progress=False,
            check_hash=True,
            weights_only=True,
        )
    except (OSError, RuntimeError) as exc:  # no network; another file than was published
        raise NoWeights(f"the weights of {start.name} cannot be downloaded", str(exc)) from exc


def _backbone(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """A classifier's weights by the names that they have inside the detector."""
    return {f"backbone.body.{key.removeprefix('features.')}": part for key, part in state.items()}


def to_tensor(canvases: Canvases) -> Tensor:
    """(b, h, w, 3) blue first to (b, 3, h, w) red first, in [0, 1]."""
    red_first = np.ascontiguousarray(canvases[..., ::-1].transpose(0, 3, 1, 2))
    return torch.from_numpy(red_first).float() / 255


def _set_floor(module: nn.Module, floor: float) -> None:
    """The lowest score to report; Faster R-CNN keeps it with its heads."""
    holder = cast(Any, getattr(module, "roi_heads", module))
    holder.score_thresh = floor
