"""Export backbones to ONNX files. Imports torch."""

import logging
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from backend.models.embedding import onnx_runtime
from backend.models.embedding.backbone_networks import Embedder

logger = logging.getLogger(__name__)

_TOLERANCE = 1e-3
"""Largest difference between torch and ONNX Runtime in any component of a vector."""

_ONE_AT_A_TIME = threading.Lock()

_EXPORT_ERRORS = (RuntimeError, TypeError, ValueError, AttributeError, LookupError, ImportError)
"""Exceptions of the exporters on a network that they cannot express."""


class ExportFailed(Exception):
    """ONNX cannot express the network, or the file cannot be written or gives other vectors."""


def export(network: Embedder, path: Path) -> None:
    """Write the network to `path` atomically; several processes may do so at once.

    Threads export one after the other: torch's exporters keep state in globals.

    Raises:
        ExportFailed: with the reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            _ONE_AT_A_TIME,
            tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder,
        ):
            draft = Path(folder, path.name)
            _write(network, draft)
            _compare(network, draft)
            draft.replace(path)
    except OSError as exc:
        raise ExportFailed(f"{path} cannot be written ({exc})") from exc
    logger.info("exported %s", path.name)


def _write(network: Embedder, path: Path) -> None:
    """Try the older exporter first: it takes a fifth of the time, but knows fewer operators."""
    try:
        _write_with(network, path, dynamo=False)
    except _EXPORT_ERRORS as first:
        logger.info("the older ONNX exporter failed (%s), trying the newer", type(first).__name__)
        try:
            _write_with(network, path, dynamo=True)
        except _EXPORT_ERRORS as exc:
            raise ExportFailed((str(exc) or repr(exc)).splitlines()[0]) from exc


def _write_with(network: Embedder, path: Path, *, dynamo: bool) -> None:
    images = torch.zeros(2, network.side, network.side, 3, dtype=torch.uint8)
    any_number: dict[str, Any] = {"dynamic_axes": {"images": {0: "n"}, "vectors": {0: "n"}}}
    if dynamo:
        any_number = {"dynamic_shapes": ({0: torch.export.Dim("n")},), "external_data": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast(Any, torch.onnx).export(
            network,
            (images,),
            path,
            input_names=["images"],
            output_names=["vectors"],
            dynamo=dynamo,
            verbose=False,
            **any_number,
        )


def _compare(network: Embedder, path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (3, network.side, network.side, 3)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    session = onnx_runtime.runtime().InferenceSession(path, providers=["CPUExecutionProvider"])
    exported = np.asarray(session.run(None, {"images": images})[0])
    with torch.inference_mode():
        original = cast(Any, network)(cast(Any, torch).from_numpy(images)).numpy()
    if exported.shape != original.shape:
        raise ExportFailed(f"it returns {exported.shape} where torch returns {original.shape}")
    difference = float(np.abs(exported - original).max())
    if not difference < _TOLERANCE:
        raise ExportFailed(f"its vectors differ from torch's by {difference:.2g}")
