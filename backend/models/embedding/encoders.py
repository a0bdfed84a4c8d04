"""Runtimes that turn thumbnails into vectors: ONNX Runtime on a CPU, torch on anything else.

On a CPU each caller computes its batch in its own thread: without barriers between the layers,
that is half as fast again as all threads sharing one batch, and stays fast on a busy machine.
"""

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backend.domain.errors import NoWeights
from backend.models.embedding import onnx_runtime
from backend.models.embedding.backbones import WEIGHTS_HINT, Backbone
from backend.models.embedding.encoder import Encoder, Vectors
from backend.models.published_weights import answers
from backend.settings import Settings

logger = logging.getLogger(__name__)


class OnnxEncoder:
    """An exported backbone, computed by the calling thread."""

    batch = 8

    def __init__(self, path: Path) -> None:
        onnxruntime = onnx_runtime.runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        self.side = int(self._session.get_inputs()[0].shape[1])
        self.width = int(self._session.get_outputs()[0].shape[1])

    def embed(self, images: NDArray[np.uint8]) -> Vectors:
        (vectors,) = self._session.run(None, {"images": images})
        return cast(NDArray[np.float32], vectors).astype(np.float16)


def cpu_threads(settings: Settings) -> int:
    """How many CPU threads may compute."""
    if settings.threads:
        return settings.threads
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def compute_device(asked: str) -> str:
    """`auto` resolved. Torch, which is slow to import, is asked only where there is a hint.

    Raises:
        BadInput: when a device is asked for by name that is not there.
    """
    if is_cpu_for_sure(asked):
        return "cpu"
    from backend.models.embedding.torch_encoder import torch_device  # noqa: PLC0415 - imports torch

    return torch_device(asked)


def is_cpu_for_sure(asked: str) -> bool:
    """Whether `compute_device` answers `cpu` without asking torch."""
    return asked == "cpu" or (asked == "auto" and not _accelerator_hinted())


def check(backbone: Backbone, data_dir: Path) -> None:
    """Whether a backbone could be opened; quick, downloads nothing.

    Raises:
        NoWeights: when its weights are neither on this machine nor to be had from here.
    """
    if backbone.file or export_path(backbone, data_dir).is_file() or backbone.downloaded():
        return
    if not answers(backbone.host):
        raise NoWeights(
            f"the weights of {backbone.name} are not here, and {backbone.host} does not answer",
            WEIGHTS_HINT.format(name=backbone.name),
        )


def open_encoder(backbone: Backbone, device: str, settings: Settings) -> Encoder:
    """The backbone on a device.

    Raises:
        NoWeights: when its weights cannot be had.
    """
    if device != "cpu":
        return _on_torch(backbone, device, settings)
    path = export_path(backbone, settings.data_dir)
    if path.is_file():
        return OnnxEncoder(path)
    with _in_turn(path.parent):
        return OnnxEncoder(path) if path.is_file() else _exported(backbone, path, settings)


def _exported(backbone: Backbone, path: Path, settings: Settings) -> Encoder:
    from backend.models.embedding.backbone_networks import load_network  # noqa: PLC0415 - imports torch
    from backend.models.embedding.export import ExportFailed, export  # noqa: PLC0415 - imports torch
    from backend.models.embedding.torch_encoder import TorchEncoder  # noqa: PLC0415 - imports torch

    network = load_network(backbone)
    try:
        export(network, path)
    except ExportFailed as exc:
        logger.warning("%s runs on torch, which is slower: %s", backbone.name, exc)
        return TorchEncoder(network, "cpu", cpu_threads(settings))
    return OnnxEncoder(path)


def _on_torch(backbone: Backbone, device: str, settings: Settings) -> Encoder:
    from backend.models.embedding.backbone_networks import load_network  # noqa: PLC0415 - imports torch
    from backend.models.embedding.torch_encoder import TorchEncoder  # noqa: PLC0415 - imports torch

    return TorchEncoder(load_network(backbone), device, cpu_threads(settings))


@contextmanager
def _in_turn(folder: Path) -> Generator[None]:
    """One process at a time: who waited finds the export done. Without a lock, all at once."""
    with ExitStack() as held:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            fcntl.flock(held.enter_context((folder / "lock").open("w")), fcntl.LOCK_EX)
            for left in folder.glob(".export-*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
        yield


def export_path(backbone: Backbone, data_dir: Path) -> Path:
    """Where the ONNX file of a backbone lies; another torch exports anew."""
    torch_version = metadata.version("torch").partition("+")[0]
    return data_dir / "weights" / f"{backbone.slug}-torch{torch_version}.onnx"


def _accelerator_hinted() -> bool:
    if sys.platform == "darwin":
        return os.uname().machine == "arm64"
    return sys.platform != "linux" or any(
        Path(name).exists() for name in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
    )
