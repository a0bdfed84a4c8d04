"""A torchvision detector small enough to learn coloured shapes from nothing within seconds."""

from itertools import pairwise
from typing import Any

from torch import nn
from torchvision.models._api import register_model
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator

SMALL = "small_fcos"
CHANNELS = 32


class SmallBackbone(nn.Sequential):
    """Three halvings; `out_channels` is what torchvision asks a backbone for."""

    out_channels = CHANNELS

    def __init__(self) -> None:
        widths = (3, 16, 24, CHANNELS)
        layers: list[nn.Module] = []
        for width, wider in pairwise(widths):
            layers += [nn.Conv2d(width, wider, 3, 2, 1), nn.GroupNorm(8, wider), nn.ReLU()]
        super().__init__(*layers)


@register_model(name=SMALL)
def small_fcos(*, weights: None, weights_backbone: None, num_classes: int, **sizes: Any) -> FCOS:
    anchors = AnchorGenerator(((32,),), ((1.0,),))
    return FCOS(SmallBackbone(), num_classes, anchor_generator=anchors, **sizes)
