"""Export a trained YOLO network to ONNX. Imports torch."""

import copy
import logging
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch

from backend.models.detection.letterbox import STRIDE
from backend.models.detection.ultralytics_engine.onnx_network import IMAGE_SIZE, session

log = logging.getLogger(__name__)

_TOLERANCE = 1e-2
"""Largest difference between torch and ONNX Runtime: in pixels for boxes, and in scores."""

_ONE_AT_A_TIME = threading.Lock()
"""torch's exporters keep state in globals."""


class DetectorExportFailed(Exception):
    """ONNX cannot express the network, or the file gives other boxes."""


def exported(model: Any, image_size: int, scratch: Path) -> bytes | None:
    """Return the ONNX file of a trained network; None, with a warning, where it has none.

    Args:
        model: `ultralytics.YOLO`; stays as it is.
        image_size: longer side of a letterboxed image, in pixels.
        scratch: folder for temporary files.
    """
    try:
        with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(dir=scratch, prefix="onnx-") as folder:
            path = Path(folder, "weights.onnx")
            network = _FromPixels(model.model)
            _write(network, path, image_size)
            _compare(network, path, image_size)
            return path.read_bytes()
    except Exception as exc:  # noqa: BLE001 - exporters raise anything; torch predicts all the same
        log.warning("not exported to ONNX, so a CPU predicts with torch: %s", exc)
        return None


class _FromPixels(torch.nn.Module):
    """A network with its preprocessing: from uint8 BGR pixels (n, h, w, 3) to its raw output."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.network = cast(Any, copy.deepcopy(model)).cpu().float().eval().fuse(verbose=False)
        head = self.network.model[-1]
        head.export = head.dynamic = True
        head.format = "onnx"
        self.eval()  # torch's exporter puts all modules back into the mode of this one

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        channels = images.permute(0, 3, 1, 2)[:, [2, 1, 0]]
        found: torch.Tensor = self.network(channels.float() / 255)
        return found


def _write(network: _FromPixels, path: Path, image_size: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast(Any, torch.onnx).export(
            network,
            (torch.zeros(2, *_shape(image_size, wide=True), 3, dtype=torch.uint8),),
            path,
            input_names=["images"],
            output_names=["found"],
            dynamic_axes={"images": {0: "n", 1: "height", 2: "width"}, "found": {0: "n"}},
            dynamo=False,
        )
    file = cast(Any, onnx)
    written = file.load(path)
    file.helper.set_model_props(written, {IMAGE_SIZE: str(image_size)})
    file.save(written, path)


def _compare(network: _FromPixels, path: Path, image_size: int) -> None:
    """Compare the raw outputs on noise, in another shape than the one that was traced.

    Raises:
        DetectorExportFailed: when they differ.
    """
    rng = np.random.default_rng(0)
    shape = (3, *_shape(image_size, wide=False), 3)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    (found,) = session(path.read_bytes(), threads=1).run(None, {"images": images})
    with torch.inference_mode():
        original = network(cast(Any, torch).from_numpy(images)).numpy()
    difference = float(np.abs(found - original).max())
    if not difference < _TOLERANCE:
        raise DetectorExportFailed(f"its raw output differs from torch's by {difference:.2g}")


def _shape(image_size: int, *, wide: bool) -> tuple[int, int]:
    long = -(-image_size // STRIDE) * STRIDE
    short = max(STRIDE, long // 2 // STRIDE * STRIDE)
    return (short, long) if wide else (long, short)
