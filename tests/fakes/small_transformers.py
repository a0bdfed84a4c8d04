"""D-FINE and RT-DETR with random weights: all parts of the architectures, as small as can be."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForObjectDetection,
    DFineConfig,
    HGNetV2Config,
    PreTrainedConfig,
    RTDetrConfig,
    RTDetrResNetConfig,
    RTDetrV2Config,
)

WIDTH = 32
"""Of encoder and decoder."""

_CHANNELS = {"stage2": 24, "stage3": 32, "stage4": 48}
_RESNET: dict[str, Any] = {
    "embedding_size": 16,
    "hidden_sizes": [16, *_CHANNELS.values()],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
_HGNET: dict[str, Any] = {
    "stem_channels": [3, 8, 16],
    "stage_in_channels": [16, 16, 24, 32],
    "stage_mid_channels": [8, 8, 8, 8],
    "stage_out_channels": [16, *_CHANNELS.values()],
    "hidden_sizes": [16, *_CHANNELS.values()],
    "stage_num_blocks": [1, 1, 1, 1],
    "stage_numb_of_layers": [1, 1, 1, 1],
}


def write(
    folder: Path, kind: str = "rt_detr", names: tuple[str, ...] = ("thing",), levels: int = 3
) -> Path:
    """Write a network of this kind, for these classes, as `save_pretrained` does.

    With one of the three `levels` of its feature pyramid it learns coloured shapes within seconds.
    """
    torch.manual_seed(0)
    config = _config(kind, {"id2label": dict(enumerate(names)), **_shape(levels)}, levels)
    network = AutoModelForObjectDetection.from_config(config)
    _initialize(network)
    network.save_pretrained(folder)
    return folder


def _initialize(network: nn.Module) -> None:
    """Draw convolutions, and take batch statistics from random images as a training would."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for part in network.modules():  # the library leaves all of these near 0, for weights to come
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    for norm in norms:
        nn.init.ones_(norm.weight)
        norm.momentum = None  # the statistics become those of the next batch
    images = nn.functional.interpolate(torch.rand(16, 3, 4, 5), size=(128, 160))
    with torch.no_grad():
        network.train()(pixel_values=images)
    for norm in norms:
        norm.momentum = 0.1


def _shape(levels: int) -> dict[str, Any]:
    return {
        "encoder_hidden_dim": WIDTH,
        "encoder_in_channels": list(_CHANNELS.values())[:levels],
        "encode_proj_layers": [levels - 1],
        "encoder_ffn_dim": WIDTH,
        "encoder_attention_heads": 2,
        "hidden_expansion": 0.5,
        "feat_strides": [8, 16, 32][:levels],
        "num_feature_levels": levels,
        "d_model": WIDTH,
        "num_queries": 12,
        "decoder_in_channels": [WIDTH] * levels,
        "decoder_ffn_dim": WIDTH,
        "decoder_layers": 1 if levels == 1 else 2,
        "decoder_attention_heads": 2,
        "num_denoising": 10,
        "freeze_backbone_batch_norms": False,
    }


def _config(kind: str, shape: dict[str, Any], levels: int) -> PreTrainedConfig:
    stages = list(_CHANNELS)[:levels]
    if kind == "d_fine":
        return DFineConfig(backbone_config=HGNetV2Config(out_features=stages, **_HGNET), **shape)
    config = {"rt_detr": RTDetrConfig, "rt_detr_v2": RTDetrV2Config}[kind]
    return config(backbone_config=RTDetrResNetConfig(out_features=stages, **_RESNET), **shape)
