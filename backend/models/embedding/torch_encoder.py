"""Run a backbone on torch: CUDA with mixed precision, MPS, or CPU where ONNX export failed.

Imports torch.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from backend.domain.arrays import Pixels
from backend.domain.errors import BadInput
from backend.models.embedding.backbone_networks import Embedder
from backend.models.embedding.encoder import Vectors

logger = logging.getLogger(__name__)


class TorchEncoder:
    """Computes one batch at a time; the batch size is halved when memory runs out."""

    def __init__(self, network: Embedder, device: str, threads: int) -> None:
        self._device = torch.device(device)
        module = cast(Any, network)  # torch's stubs do not know this overload of `to`
        self._network = module.to(self._device, memory_format=torch.channels_last)
        self._mixed = self._device.type == "cuda"
        self._one_at_a_time = threading.Lock()
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        self.side = network.side
        self.batch = 16 if self._device.type == "cpu" else 128
        self.width = self.embed(np.zeros((1, self.side, self.side, 3), np.uint8)).shape[1]

    def embed(self, images: Pixels) -> Vectors:
        with self._one_at_a_time, torch.inference_mode():
            parts = [
                self._fitting(part)
                for part in _split(cast(Any, torch).from_numpy(images), self.batch)
            ]
        return np.concatenate([cast(Any, part).numpy() for part in parts])

    def _fitting(self, images: Tensor) -> Tensor:
        try:
            return self._computed(images)
        except torch.OutOfMemoryError:
            if len(images) == 1:
                raise
        self._halve(len(images))
        return torch.cat([self._fitting(part) for part in _split(images, self.batch)])

    def _computed(self, images: Tensor) -> Tensor:
        with torch.autocast(self._device.type, torch.float16, enabled=self._mixed):
            vectors = self._network(images.to(self._device, non_blocking=True))
        return vectors.to("cpu", torch.float16)

    def _halve(self, size: int) -> None:
        self.batch = max(1, size // 2)
        logger.warning("out of memory on %s: batches of %s from now on", self._device, self.batch)
        if self._mixed:
            torch.cuda.empty_cache()


def _split(images: Tensor, size: int) -> Sequence[Tensor]:
    return cast(Any, images).split(size)


def torch_device(asked: str) -> str:
    """Return the torch device for `auto`, `cuda`, `cuda:1` or `mps`.

    Raises:
        BadInput: when the requested device does not exist.
    """
    devices = _available()
    if asked == "auto":
        return devices[0]
    if asked not in devices:
        raise BadInput(
            f"AUTOLABEL_DEVICE is {asked}, but torch has no such device here",
            f"It has {', '.join(devices)}. Check the driver and that torch is no CPU-only build",
        )
    return asked


def _available() -> list[str]:
    """Return devices from the fastest to `cpu`."""
    names: list[str] = []
    if torch.cuda.is_available():
        numbered = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        names += ["cuda", *numbered]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def gpu_memory(device: str) -> float:
    """Return the bytes of memory of a CUDA device."""
    return float(cast(Any, torch.cuda).get_device_properties(device).total_memory)
