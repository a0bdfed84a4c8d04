"""Implements `engine.Engine` and `engine.Network` with Ultralytics: fine-tuned YOLO checkpoints.

Ultralytics and its checkpoints are under the AGPL-3.0; `torchvision_engine` avoids it
(`docs/decisions/detectors.md`). A checkpoint is a pickle, and loading one runs code from it as far
as Ultralytics' loader allows. So only the checkpoint that `AUTOLABEL_DETECTOR` names is loaded,
and those that training wrote into version folders. On a CPU the ONNX file beside the checkpoint
predicts (`onnx_network`), where the version has one.
"""

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import NoWeights
from backend.models.detection.engine import (
    Callers,
    Detections,
    PixelBatch,
    TrainedNetwork,
    require_weights,
)
from backend.models.detection.training_plan import MIN_VALIDATION, TrainingPlan
from backend.models.detection.ultralytics_engine import setup
from backend.models.detection.ultralytics_engine.callbacks import TrainingCallbacks
from backend.models.detection.ultralytics_engine.onnx_network import (
    CHECKPOINT,
    EXPORTED,
    MOST_BOXES,
    OVERLAP,
    OnnxNetwork,
)
from backend.models.published_weights import is_reachable
from backend.ports.model_family import TrainingSet
from backend.stores.scratch import scratch_folder

_HINT = (
    "Set AUTOLABEL_DETECTOR to the path of a checkpoint on this machine,"
    " or put the file into the folder weights of AUTOLABEL_DATA_DIR"
)


@dataclass(frozen=True, slots=True)
class UltralyticsEngine:
    """Trains from `start`: a path, or the name of a checkpoint that Ultralytics publishes.

    `data_dir`: everything is written below it. `device` as torch names it, such as `cuda:0`.
    `across_labels`: suppress overlapping boxes of different labels too. `threads`: to predict with
    on a CPU.
    """

    start: str
    data_dir: Path
    device: str = "cpu"
    across_labels: bool = False
    threads: int = 1

    @property
    def name(self) -> str:
        return "ultralytics"

    @property
    def license(self) -> str:
        return "AGPL-3.0-only"

    @property
    def on_gpu(self) -> bool:
        return self.device != "cpu"

    def check(self) -> None:
        if self._local() is None and not self._may_download():
            raise NoWeights(f"the detector {self.start} is not on this machine", _HINT)

    def train(
        self, training_set: TrainingSet, plan: TrainingPlan, previous: Path | None
    ) -> TrainedNetwork:
        start = previous / CHECKPOINT if previous else self.checkpoint()
        setup.import_configured(self._home)
        training = importlib.import_module("backend.models.detection.ultralytics_engine.training")
        choosing = len(training_set.held_out) >= MIN_VALIDATION
        callbacks = TrainingCallbacks(plan, training_set.progress, choosing=choosing)
        options = self._options(plan, training_set.seed, training.precision(self.device))
        options["patience"] = plan.patience if choosing else 0
        with scratch_folder(self.data_dir / "scratch") as folder:
            best = training.train(training_set, folder, start, options, plan.batch, callbacks)
            network = self._exported(self._network(best, plan.image_size), folder)
        return TrainedNetwork(network, callbacks.epochs)

    def load(self, folder: Path) -> "UltralyticsNetwork | OnnxNetwork":
        checkpoint, exported = require_weights(folder / CHECKPOINT), folder / EXPORTED
        if self.on_gpu or not exported.is_file():
            found = exported.read_bytes() if exported.is_file() else None
            return replace(self._network(checkpoint, None), exported=found)
        return self._onnx(exported.read_bytes(), checkpoint.read_bytes())

    def _exported(
        self, network: "UltralyticsNetwork", scratch: Path
    ) -> "UltralyticsNetwork | OnnxNetwork":
        """Export a trained network, for versions that a CPU predicts with."""
        onnx_export = importlib.import_module(f"{__package__}.onnx_export")
        found = onnx_export.exported(network.model, network.image_size, scratch)
        if self.on_gpu or found is None:
            return replace(network, exported=found)
        return self._onnx(found, network.checkpoint)

    def _onnx(self, exported: bytes, checkpoint: bytes) -> OnnxNetwork:
        return OnnxNetwork.of(exported, checkpoint, self.threads, across_labels=self.across_labels)

    @property
    def _home(self) -> Path:
        return self.data_dir / "ultralytics"

    def _local(self) -> Path | None:
        """Find the checkpoint on this machine.

        A bare name is looked up in the data folder only: a checkpoint runs code, so one that
        happens to lie in the working directory must not be loaded.
        """
        path = self.data_dir / "weights" / Path(self.start).expanduser()
        if not path.is_file() and not self._is_name:
            path = Path(self.start).expanduser()
        return path.absolute() if path.is_file() else None

    @property
    def _is_name(self) -> bool:
        return Path(self.start).name == self.start

    def _may_download(self) -> bool:
        return self._is_name and not setup.forbids_downloads() and is_reachable("github.com")

    def checkpoint(self) -> Path:
        """Return the checkpoint's file, downloaded if need be. Raises NoWeights."""
        local = self._local()
        if local:
            return local
        self.check()
        try:
            return setup.download(self.start, self.data_dir / "weights", self._home)
        except ConnectionError as exc:
            raise NoWeights(f"the detector {self.start} cannot be downloaded", _HINT) from exc

    def _network(self, checkpoint: Path, image_size: int | None) -> "UltralyticsNetwork":
        setup.import_configured(self._home)
        library = importlib.import_module("ultralytics")
        model = library.YOLO(str(checkpoint), task="detect")
        size = image_size or int(model.ckpt["train_args"]["imgsz"])
        return UltralyticsNetwork(
            model, checkpoint.read_bytes(), size, self.device, self.across_labels
        )

    def _options(self, plan: TrainingPlan, seed: int, precision: str | bool) -> dict[str, Any]:
        """Ultralytics' training arguments, see docs.ultralytics.com/usage/cfg."""
        return {
            "task": "detect",
            "epochs": plan.epochs,
            "imgsz": plan.image_size,
            "freeze": round(plan.frozen * 10),  # the backbone is ten modules
            "optimizer": "AdamW",
            "lr0": plan.learning_rate,
            "momentum": 0.9,
            "warmup_bias_lr": 0.0,
            "mosaic": plan.mosaic,
            "close_mosaic": plan.epochs // 4,
            "amp": precision,
            "device": self.device,
            "workers": 4 if self.on_gpu else 0,
            "seed": seed,
            "plots": False,
            "verbose": False,
        }


@dataclass(frozen=True, slots=True)
class UltralyticsNetwork:
    """A YOLO network and the checkpoint that it was loaded from; `exported` is its ONNX file.

    Calls are serialized: Ultralytics creates its predictor in the first one and keeps the image
    size in it.
    """

    model: Any
    checkpoint: bytes
    image_size: int
    device: str
    across_labels: bool
    exported: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def callers(self) -> Callers | None:
        return None

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        with self._lock:
            results = self.model.predict(
                list(batch),
                imgsz=list(batch.shape[1:3]),
                conf=min_score,
                iou=OVERLAP,
                max_det=MOST_BOXES,
                agnostic_nms=self.across_labels,
                device=self.device,
                save=False,
                verbose=False,
            )
        return [_detections(result.boxes, across_labels=self.across_labels) for result in results]

    def save(self, folder: Path) -> None:
        (folder / CHECKPOINT).write_bytes(self.checkpoint)
        if self.exported is not None:
            (folder / EXPORTED).write_bytes(self.exported)


def _detections(boxes: Any, *, across_labels: bool) -> Detections:
    """Convert and suppress overlaps: end-to-end networks such as YOLO26 ignore `agnostic_nms`."""
    from torchvision.ops import nms  # noqa: PLC0415  imports torch

    kept = nms(boxes.xyxy, boxes.conf, OVERLAP) if across_labels else slice(None)
    arrays = (boxes.xyxy[kept], boxes.cls[kept].int(), boxes.conf[kept])
    return Detections(*(array.cpu().numpy() for array in arrays))
