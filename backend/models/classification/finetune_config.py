"""Configuration of fine-tuning; imports no torch."""

from dataclasses import dataclass

from backend.models.embedding.backbones import Backbone

ENCODER_FILE = "encoder.safetensors"
"""Beside the head of a model whose backbone was tuned."""

MOST_IMAGES = 5000
"""With more labeled images, a random sample of this size is used."""

IMAGES_A_SECOND = 12
"""Training speed on a CPU with two cores, to estimate the time."""


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """What to fine-tune, and where.

    Attributes:
        backbone: the network to start from.
        device: the torch device.
        max_megapixels: the largest image to read.
        fewest: with fewer labeled images, fine-tuning is skipped.
        epochs: the most epochs.
    """

    backbone: Backbone
    device: str
    max_megapixels: float
    fewest: int = 200
    epochs: int = 12

    @property
    def name(self) -> str:
        """What the report calls the fine-tuned model."""
        return f"fine-tuned {self.backbone.name}"

    def obstacle(self, images: int, minutes: float) -> str:
        """Return why fine-tuning on so many images is not tried; empty if it is.

        Args:
            images: labeled.
            minutes: the job may spend on training.
        """
        if images < self.fewest:
            return f"{images} labeled images, needs {self.fewest}"
        needed = min(images, MOST_IMAGES) * self.epochs / IMAGES_A_SECOND / 60
        if self.device == "cpu" and needed > minutes:
            return f"would take about {needed:.0f} minutes on this CPU, {minutes:g} are allowed"
        return ""
