"""Models in ONNX files: what they say about themselves, and how they are run on the CPU."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from backend.domain.arrays import Floats, Pixels
from backend.domain.errors import BadInput
from backend.models.detection.engine import Callers, Detections, PixelBatch
from backend.models.embedding.onnx_runtime import runtime
from backend.models.imported.card import PixelScaling
from backend.models.link_functions import SOFTMAX

_ERRORS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel")
"""Names of ONNX Runtime's exceptions for a file that it cannot open; they share no base class."""

_GRAY = 114
_END_TO_END = 6
"""Numbers for each box of a network that suppresses overlaps itself."""

_OVERLAP = 0.7
_MOST_BOXES = 300
_NO_NAMES = "Put the names of its classes beside it, one a line, in a file FILE.names"


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """An open ONNX model of images; one that this program exported may have several inputs."""

    session: Any

    @classmethod
    def open(cls, path: Path) -> "OnnxSession":
        """Raises BadInput when it is no ONNX model."""
        library = runtime()
        state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
        errors = tuple(getattr(state, name) for name in _ERRORS)
        try:
            return cls(library.InferenceSession(str(path), providers=["CPUExecutionProvider"]))
        except errors as exc:
            raise BadInput(f"{path.name} is not an ONNX model that can be run: {exc}") from exc

    @property
    def metadata(self) -> Mapping[str, str]:
        return cast("dict[str, str]", self.session.get_modelmeta().custom_metadata_map)

    @property
    def shape(self) -> Sequence[int | str | None]:
        """Of the input: (n, channels, height, width); a string or None is any number."""
        return cast("list[int | str | None]", self.session.get_inputs()[0].shape)

    @property
    def outputs(self) -> int:
        """Number of dimensions of the first output."""
        return len(self.session.get_outputs()[0].shape)

    @property
    def classes(self) -> int | None:
        """Number of classes by the shape of the first output; None if that does not say it."""
        shape: Sequence[int | str | None] = self.session.get_outputs()[0].shape
        if len(shape) not in {2, 3} or shape[-1] == _END_TO_END:
            return None
        found = shape[1]
        return (found - 4 * (len(shape) == 3)) if isinstance(found, int) else None

    @property
    def wants_bytes(self) -> bool:
        """Whether it takes (n, height, width, 3) RGB bytes and prepares them itself."""
        return bool(self.session.get_inputs()[0].type == "tensor(uint8)")

    @property
    def sides(self) -> Mapping[str, int]:
        """Of the square images that each input takes, where these are (n, side, side, 3)."""
        return {one.name: int(one.shape[1]) for one in self.session.get_inputs()}

    def answer(self, given: Mapping[str, Floats | Pixels]) -> Floats:
        """Return the first output for batches of images by the name of their input."""
        return np.asarray(self.session.run(None, dict(given))[0], dtype=np.float64)

    def run(self, images: Floats | Pixels) -> Floats:
        """Return the first output for images that are ready; one at a time if it takes one."""
        name = self.session.get_inputs()[0].name
        batch = self.shape[0]
        size = batch if isinstance(batch, int) else len(images)
        parts = [images[start : start + size] for start in range(0, len(images), max(size, 1))]
        found = [self.session.run(None, {name: part})[0] for part in parts]
        return np.concatenate(found).astype(np.float64)


def class_names(path: Path, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the classes, from a file beside the model or from its metadata.

    Ultralytics writes `{0: 'person', 1: 'bicycle'}`, others a JSON list.

    Raises:
        BadInput: when there are none.
    """
    beside = path.with_name(f"{path.name}.names")
    if beside.is_file():
        return tuple(
            line.strip() for line in beside.read_text("utf-8").splitlines() if line.strip()
        )
    text = metadata.get("names", "")
    for parse in (json.loads, ast.literal_eval):
        try:
            found: object = parse(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(found, Mapping):
            named = cast("Mapping[Any, Any]", found)
            return tuple(str(named[key]) for key in sorted(named, key=int))
        if isinstance(found, list):
            return tuple(map(str, cast("list[object]", found)))
    raise BadInput(f"{path.name} does not say which classes it knows", _NO_NAMES)


@dataclass(frozen=True, slots=True)
class OnnxDetector:
    """Implements `engine.Network` for detectors as Ultralytics exports them.

    Their output is (n, 4 + classes, boxes) with centers and sizes in pixels, or, for networks that
    suppress overlaps themselves, (n, boxes, 6) with corners, score and class.
    """

    onnx: OnnxSession
    path: Path
    image_size: int
    across_labels: bool = False

    @property
    def callers(self) -> Callers | None:
        return None

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        images = self._padded(batch)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        return [
            self._decoded(one, min_score) for one in self.onnx.run(np.ascontiguousarray(images))
        ]

    def save(self, folder: Path) -> None:
        (folder / self.path.name).write_bytes(self.path.read_bytes())

    def _padded(self, batch: PixelBatch) -> PixelBatch:
        """Pad at the right and below to the size that the network takes, if it takes only one."""
        height, width = self.onnx.shape[2:]
        if not (isinstance(height, int) and isinstance(width, int)):
            return batch
        down, across = max(0, height - batch.shape[1]), max(0, width - batch.shape[2])
        padding = ((0, 0), (0, down), (0, across), (0, 0))
        return np.pad(batch, padding, constant_values=_GRAY)[:, :height, :width]

    def _decoded(self, output: Floats, min_score: float) -> Detections:
        if output.shape[-1] == _END_TO_END and output.shape[0] != _END_TO_END:
            boxes, scores, labels = output[:, :4], output[:, 4], output[:, 5].astype(np.intp)
        else:
            center, size, by_class = output[:2].T, output[2:4].T, output[4:].T
            boxes = np.concatenate([center - size / 2, center + size / 2], axis=1)
            labels, scores = by_class.argmax(axis=1), by_class.max(axis=1, initial=0)
        rows = np.flatnonzero(scores >= min_score)
        boxes, scores, labels = boxes[rows], scores[rows], labels[rows]
        groups = np.zeros_like(labels) if self.across_labels else labels
        kept = _suppressed(boxes, scores, groups)
        return Detections(boxes[kept], labels[kept], scores[kept])


def _suppressed(boxes: Floats, scores: Floats, groups: Any) -> list[int]:
    """Return the rows that no better box of the same group overlaps, best first."""
    if not len(boxes):
        return []
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    found = cv2.dnn.NMSBoxesBatched(
        sizes.tolist(), scores.tolist(), [int(one) for one in groups], 0.0, _OVERLAP
    )
    return [int(row) for row in np.asarray(found).ravel()][:_MOST_BOXES]


@dataclass(frozen=True, slots=True)
class OnnxClassifier:
    """Implements `PixelProbabilities`."""

    onnx: OnnxSession
    scaling: PixelScaling = field(default_factory=PixelScaling)

    def __call__(self, images: Sequence[Pixels]) -> Floats:
        output = self.onnx.run(np.stack([scaled(image, self.scaling) for image in images]))
        return as_probabilities(output)


def scaled(image: Pixels, scaling: PixelScaling) -> Floats:
    """Prepare one BGR image for a classifier: (3, side, side) float32."""
    height, width = image.shape[:2]
    factor = scaling.side / scaling.crop / min(height, width)
    size = (max(scaling.side, round(width * factor)), max(scaling.side, round(height * factor)))
    area = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=area)
    top, left = (size[1] - scaling.side) // 2, (size[0] - scaling.side) // 2
    square = resized[top : top + scaling.side, left : left + scaling.side, ::-1]
    mean, std = (np.array(one, dtype=np.float32) for one in (scaling.mean, scaling.std))
    pixels = (square.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def as_probabilities(output: Floats) -> Floats:
    """Return probabilities; an output that is none yet is taken for logits."""
    sums = output.sum(axis=1)
    is_ready = output.min(initial=0) >= 0 and output.max(initial=0) <= 1 + 1e-4
    if is_ready and np.allclose(sums, 1, atol=1e-2):
        return output
    return SOFTMAX.probabilities(output)
