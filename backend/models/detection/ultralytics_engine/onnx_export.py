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
from numpy.typing import NDArray

from backend.domain.arrays import Floats
from backend.models.detection.letterbox import STRIDE
from backend.models.detection.ultralytics_engine import onnx_layers
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
            images = _noise(image_size)
            expected = network.found_in(images)
            network.speed_up()
            _write(network, path, image_size)
            _compare(path, images, expected)
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
        self.takes_raw_pixels = False
        self.eval()  # torch's exporter puts all modules back into the mode of this one

    def speed_up(self) -> None:
        """Rewrite what ONNX Runtime runs slowly; the raw output changes by rounding only."""
        layers = self.network.model
        onnx_layers.replace_softmax(layers[-1])
        onnx_layers.split_blocks(layers)
        self.takes_raw_pixels = onnx_layers.take_raw_pixels(layers[0])
        self.eval()

    def found_in(self, images: NDArray[np.uint8]) -> Floats:
        """Return the raw output, by torch."""
        with torch.inference_mode():
            return self(cast(Any, torch).from_numpy(images)).numpy()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        channels = images.permute(0, 3, 1, 2)
        if not self.takes_raw_pixels:
            channels = channels[:, [2, 1, 0]].float() / 255
        found: torch.Tensor = self.network(channels.float())
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


def _noise(image_size: int) -> NDArray[np.uint8]:
    """Return three images in another shape than the one that is traced."""
    shape = (3, *_shape(image_size, wide=False), 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _compare(path: Path, images: NDArray[np.uint8], expected: Floats) -> None:
    """Compare the raw outputs of the file with those of the trained network.

    Raises:
        DetectorExportFailed: when they differ.
    """
    (found,) = session(path.read_bytes(), threads=1).run(None, {"images": images})
    difference = float(np.abs(found - expected).max())
    if not difference < _TOLERANCE:
        raise DetectorExportFailed(f"its raw output differs from torch's by {difference:.2g}")


def _shape(image_size: int, *, wide: bool) -> tuple[int, int]:
    long = -(-image_size // STRIDE) * STRIDE
    short = max(STRIDE, long // 2 // STRIDE * STRIDE)
    return (short, long) if wide else (long, short)
