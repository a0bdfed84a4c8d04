"""One training by Ultralytics, with our data and callbacks in place of its own.

Import this module only after `setup.import_configured`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Ultralytics leaves some of its arguments without types.

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import load_checkpoint
from ultralytics.utils.torch_utils import strip_optimizer

from backend.domain.errors import NoWeights
from backend.models.detection.out_of_memory import with_smaller_batches
from backend.models.detection.ultralytics_engine.callbacks import RunningTrainer, TrainingCallbacks
from backend.models.detection.ultralytics_engine.yolo_dataset import write
from backend.ports.model_family import TrainingSet

_BROKEN = (TypeError, RuntimeError, ImportError, AttributeError, LookupError, ValueError, EOFError)
"""What Ultralytics' loader raises for files that are no checkpoints."""


class ProgressTrainer(DetectionTrainer):
    """Ultralytics' trainer, reporting to `callback` alone.

    Overrides `get_dataset`, which would download a font, `run_callbacks`, which would call
    integrations that send data away, and `final_eval`, which would validate a second time.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        data: Mapping[str, Any],
        callback: Callable[[RunningTrainer, str], None],
    ) -> None:
        self._dataset = dict(data)
        self._callback = callback
        super().__init__(overrides=dict(options))
        validating = cast("dict[str, list[Callable[[object], None]]]", self.callbacks)
        validating["on_val_batch_start"].append(self._validating)

    def get_dataset(self) -> dict[str, Any]:
        return self._dataset

    def run_callbacks(self, event: str) -> None:
        self._callback(cast(RunningTrainer, self), event)

    def _validating(self, _: object) -> None:
        self.run_callbacks("on_val_batch_start")

    def final_eval(self) -> None:
        for checkpoint in (self.last, self.best):
            strip_optimizer(checkpoint)


def train(
    training_set: TrainingSet,
    folder: Path,
    start: Path,
    options: Mapping[str, Any],
    batch: int,
    callbacks: TrainingCallbacks,
) -> Path:
    """Train, and return the best checkpoint, without its optimizer.

    Weights of classes that the starting checkpoint knows are kept: those with the name of a label,
    or with a name that the control maps to one (`predicted_values`).

    Args:
        training_set: images and answers.
        folder: an empty folder for images and checkpoints.
        start: the checkpoint to start from.
        options: Ultralytics' training arguments, but for the batch.
        batch: images per step; fewer if memory runs out, which Ultralytics itself handles in the
            first epoch only.
        callbacks: called for every batch and epoch.

    Raises:
        NoWeights: when the starting checkpoint cannot be loaded, or is not a detector.
    """
    weights = _loaded(start)
    images, control = write(training_set, folder), training_set.control
    data = {
        "train": str(images["train"]),
        "val": str(images["val"]),
        "names": dict(enumerate(control.labels)),
        "nc": len(control.labels),
        "channels": 3,
    }
    weights.names = {
        at: control.outside_names.get(name, name) for at, name in weights.names.items()
    }

    def attempt(batch: int) -> Path:
        placed = {"project": str(folder), "name": "run", "exist_ok": True, "model": str(start)}
        trainer = cast(
            Any, ProgressTrainer({**options, **placed, **_stepping(batch)}, data, callbacks)
        )
        trainer.model = trainer.get_model(cfg=weights.yaml, weights=weights, verbose=False)
        trainer.train()
        return trainer.best if trainer.best.exists() else trainer.last

    return with_smaller_batches(batch, attempt)


def _loaded(start: Path) -> Any:
    hint = "Fetch the file again, or set AUTOLABEL_DETECTOR to another detection checkpoint"
    try:
        weights = cast(Any, load_checkpoint(str(start))[0])
    except _BROKEN as exc:
        raise NoWeights(f"{start} is no checkpoint that Ultralytics can load", hint) from exc
    if weights.task != "detect":
        raise NoWeights(f"{start} is a checkpoint for another task: {weights.task}", hint)
    return weights


def _stepping(batch: int) -> dict[str, int]:
    """Set the batch size, with one optimizer step per batch."""
    return {"batch": batch, "nbs": batch}


def precision(device: str) -> str | bool:
    """Choose bfloat16 if the GPU has it: Ultralytics downloads weights to check float16."""
    chip = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if chip else False
