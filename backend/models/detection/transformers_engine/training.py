"""How D-FINE and RT-DETR are fine-tuned on few images.

Their published schedules count in iterations: thousands for the warm-up, and a moving average that
needs tens of thousands. Here both are shares of the steps that there are.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_convert
from torchvision.transforms import v2

from backend.models.detection.letterboxed_dataset import GRAY, Example, Target
from backend.models.detection.schedules import PlateauSchedule
from backend.models.detection.training_loop import Recipe, in_half_precision
from backend.models.detection.transformers_engine.network import stacked

RECIPE = Recipe(
    backbone="model.backbone.",
    rate=0.05,  # 1e-4 with few images, which RT-DETR is trained at (arXiv 2304.08069)
    backbone_rate=0.1,  # as in the same paper
    weight_decay=1e-4,
    clip=0.1,
    schedule=PlateauSchedule,
    averages=True,
)


def scaling() -> v2.Transform:
    """Vary scale and position a little; heavier augmentation needs more steps than there are."""
    return v2.RandomAffine([0.0, 0.0], translate=(0.1, 0.1), scale=(0.7, 1.25), fill=GRAY)


def loss(module: Any, batch: Sequence[Example], device: str) -> Tensor:
    """Compute the network's own loss: matched boxes, auxiliary heads and denoising."""
    asked = inputs(module, batch, device)
    with in_half_precision(device):
        total: Tensor = module(**asked).loss
    return total


def inputs(module: Any, batch: Sequence[Example], device: str) -> dict[str, Any]:
    """Return the arguments of a forward pass with loss."""
    pixels = stacked([image for image, _ in batch], module.config)
    height, width = pixels.shape[-2:]
    labels = [_scaled(truth, width, height, device) for _, truth in batch]
    return {"pixel_values": pixels.to(device), "labels": labels}


def _scaled(truth: Target, width: int, height: int, device: str) -> dict[str, Tensor]:
    """Convert corners in pixels to centre and size as fractions of the padded image."""
    corners = truth["boxes"] / torch.tensor([width, height, width, height])
    return {
        "class_labels": truth["labels"].to(device),
        "boxes": box_convert(corners, "xyxy", "cxcywh").to(device),
    }
