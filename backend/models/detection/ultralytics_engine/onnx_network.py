"""A YOLO network in ONNX Runtime, for CPUs: neither torch nor Ultralytics is imported.

Of many images, each thread runs one of its own. Without barriers between the layers, that is
faster than all threads sharing each layer, and the activations of one image stay in the cache: a
batch of eight takes a tenth more processor time. An image that is alone is shared by all threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats
from backend.models.detection.engine import Callers, Detections, PixelBatch
from backend.models.embedding import onnx_runtime

CHECKPOINT, EXPORTED = "weights.pt", "weights.onnx"
"""Files of a version: what training continues from, and what CPUs predict with."""

IMAGE_SIZE = "image_size"
"""Key of the file's metadata."""

MOST_BOXES = 300
"""Boxes per image, at most; Ultralytics' own default."""

OVERLAP = 0.7
"""IoU of non-maximum suppression; Ultralytics' own default."""


def session(exported: bytes, threads: int) -> Any:
    """Open a network; waiting threads sleep, as spinning ones would slow all others down."""
    onnxruntime = onnx_runtime.runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, slots=True)
class OnnxNetwork:
    """An exported network, and the checkpoint that training continues from.

    `single` runs in the calling thread, `shared` in `threads` threads. May be called by several
    threads at once.
    """

    single: Any
    shared: Any
    threads: int
    image_size: int
    across_labels: bool
    exported: bytes
    checkpoint: bytes

    @property
    def callers(self) -> Callers | None:
        return Callers(self.threads, partial(self._detect, self.single))

    @classmethod
    def of(cls, exported: bytes, checkpoint: bytes, threads: int, *, across_labels: bool) -> Self:
        """Open the content of `EXPORTED`."""
        single = session(exported, 1)
        shared = session(exported, threads) if threads > 1 else single
        size = int(single.get_modelmeta().custom_metadata_map[IMAGE_SIZE])
        return cls(single, shared, threads, size, across_labels, exported, checkpoint)

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        return self._detect(self.shared, batch, min_score)

    def save(self, folder: Path) -> None:
        (folder / CHECKPOINT).write_bytes(self.checkpoint)
        (folder / EXPORTED).write_bytes(self.exported)

    def _detect(self, network: Any, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        outputs = (network.run(None, {"images": image[np.newaxis]})[0] for image in batch)
        return [
            suppressed(*decode(found, min_score), min_score, across_labels=self.across_labels)
            for (found,) in outputs
        ]


def decode(found: Floats, min_score: float) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Return corners (m, 4) in pixels, label positions (m,) and scores (m,) of a raw output.

    Most boxes score far below `min_score`; they are left out before anything else is computed.

    Args:
        found: of one image, either (4 + labels, m): center, size and a score for each label; or,
            from networks without non-maximum suppression such as YOLO26, (m, 6): corners, score,
            label.
        min_score: of the boxes to return.
    """
    if found.shape[-1] == _END_TO_END:
        found = found[found[:, 4] > min_score]
        return found[:, :4], found[:, 5].astype(np.intp), found[:, 4]
    best = found[4:].max(axis=0)
    enough = np.flatnonzero(best > min_score)
    center, size, scores = found[:2, enough], found[2:4, enough], found[4:, enough]
    corners = np.concatenate([center - size / 2, center + size / 2]).T
    return corners, np.argmax(scores, axis=0), best[enough]


_END_TO_END = 6


def suppressed(
    corners: Floats,
    labels: NDArray[np.intp],
    scores: Floats,
    min_score: float,
    *,
    across_labels: bool,
) -> Detections:
    """Keep the boxes from this score on, the best of those that overlap; best score first."""
    enough = np.flatnonzero(scores > min_score)
    corners, labels, scores = corners[enough], labels[enough], scores[enough]
    sizes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    groups = np.zeros_like(labels) if across_labels else labels
    kept = cv2.dnn.NMSBoxesBatched(
        sizes.astype(np.float64).tolist(), scores.tolist(), groups.tolist(), min_score, OVERLAP
    )
    best = np.asarray(kept, dtype=np.intp)[:MOST_BOXES]
    return Detections(corners[best], labels[best], scores[best])
