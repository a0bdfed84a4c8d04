"""A backbone that was fine-tuned for one control. Imports torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from safetensors import torch as tensors
from torch import Tensor

from backend.domain.answers import ImageRef
from backend.domain.arrays import Floats, Pixels
from backend.domain.batches import ImageBatch
from backend.domain.errors import BadInput
from backend.domain.steps import Step
from backend.models.classification.finetune_config import ENCODER_FILE, FinetuneConfig
from backend.models.embedding.backbone_networks import Embedder, load_network
from backend.models.images.thumbnails import decode
from backend.ports.images import Fetch
from backend.ports.progress import Progress

BATCH = 32


@dataclass(frozen=True, slots=True)
class FinetunedEncoder:
    """Compute features from image files; the cached ones are those of the untuned backbone."""

    network: Embedder
    tuning: FinetuneConfig

    @classmethod
    def load(cls, folder: Path, tuning: FinetuneConfig) -> Self:
        """Load the encoder that `save` wrote.

        Raises:
            NoWeights: the weights of the backbone are missing.
            BadInput: another backbone was tuned.
        """
        network = load_network(tuning.backbone)
        try:
            network.load_state_dict(cast(Any, tensors).load_file(folder / ENCODER_FILE))
        except RuntimeError as exc:
            what = f"this version was not tuned from {tuning.backbone.name}"
            raise BadInput(what, "Set AUTOLABEL_BACKBONE as it was, or train again") from exc
        return cls(on_device(network, tuning.device), tuning)

    def save(self, folder: Path) -> None:
        state = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        cast(Any, tensors).save_file(state, folder / ENCODER_FILE)

    def embed(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> Floats:
        """Return (n, d) float32 features, rows of length 1. Raises UnreadableImage."""
        rows: list[Floats] = [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(images), BATCH):
            progress(Step.EMBED, start, len(images))
            pixels = self.pixels(images.refs[start : start + BATCH], fetch)
            rows.append(self.features(pixels))
        return np.concatenate(rows)

    @property
    def width(self) -> int:
        """The length of a vector; shorter than a cached one where that joins several encoders'."""
        side = self.network.side
        return self.features(np.zeros((1, side, side, 3), np.uint8)).shape[1]

    def pixels(self, refs: Sequence[ImageRef], fetch: Fetch) -> Pixels:
        """Decode and resize images to (n, side, side, 3) RGB."""
        side, limit = self.network.side, self.tuning.max_megapixels
        return np.stack([decode(fetch(ref), side, limit).pixels for ref in refs])

    def features(self, images: Pixels) -> Floats:
        """Return (n, d) float32 features of decoded images."""
        with torch.inference_mode(), mixed_precision(self.tuning.device):
            parts = [
                self.network(batch).float().cpu() for batch in batches(images, self.tuning.device)
            ]
        return cast(Any, torch.cat(parts)).numpy()


def on_device(network: Embedder, device: str) -> Embedder:
    """Move a network to the device, channels last, which is fastest for convolutions."""
    return cast(Any, network).to(device, memory_format=torch.channels_last).eval()


def mixed_precision(device: str) -> torch.autocast:
    """Use bfloat16 on CUDA, which needs no loss scaling, and full precision elsewhere."""
    kind = device.split(":", maxsplit=1)[0]
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")


def batches(images: Pixels, device: str) -> Iterator[Tensor]:
    """Yield `BATCH` images at a time, moved to the device."""
    for start in range(0, len(images), BATCH):
        part = cast(Any, torch).from_numpy(images[start : start + BATCH])
        yield part.to(device)
