"""What fine-tuning starts from and where it computes; known without torch."""

from dataclasses import dataclass

from backend.models.embedding.backbones import Backbone

ENCODER_FILE = "encoder.safetensors"
"""Beside the head of a model whose backbone was tuned."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """A backbone to tune, the torch device, and the largest image to read.

    With fewer than `fewest` labeled images tuning is not worth its time. `epochs` at most.
    """

    backbone: Backbone
    device: str
    max_megapixels: float
    fewest: int = 200
    epochs: int = 12
