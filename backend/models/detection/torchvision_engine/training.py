"""How torchvision's detectors are fine-tuned."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from backend.models.detection.letterboxed_dataset import GRAY, Example
from backend.models.detection.schedules import CosineSchedule
from backend.models.detection.torchvision_engine.network import BACKGROUND
from backend.models.detection.training_loop import Recipe, in_half_precision

RECIPE = Recipe(
    backbone="backbone.",
    rate=0.25,  # batch statistics are frozen here
    backbone_rate=0.1,  # as in DETR (arXiv 2005.12872)
    weight_decay=5e-4,
    clip=10.0,
    schedule=CosineSchedule,
    averages=False,
)


def scaling() -> v2.Transform:
    """Zoom out, as torchvision's reference trainings do; the network scales images itself."""
    return v2.RandomZoomOut(fill=GRAY, side_range=(1.0, 2.0), p=0.3)


def loss(module: nn.Module, batch: Sequence[Example], device: str) -> Tensor:
    """Sum the losses of a batch; torchvision counts labels from `BACKGROUND` on."""
    images = [image.to(device) for image, _ in batch]
    targets = [
        {"boxes": truth["boxes"].to(device), "labels": truth["labels"].to(device) + BACKGROUND}
        for _, truth in batch
    ]
    with in_half_precision(device):
        losses = cast("dict[str, Tensor]", module(images, targets))
        return torch.stack(list(losses.values())).sum()
