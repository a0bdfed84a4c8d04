"""One training by Ultralytics, with our data, our budget and our ear instead of its callbacks.

Import this module only after `ultralytics_home.settle`.
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
from backend.models.detection.ultralytics_engine.callbacks import Listener, Running
from backend.models.detection.ultralytics_engine.yolo_dataset import write
from backend.ports.model_family import TrainingSet

_BROKEN = (TypeError, RuntimeError, ImportError, AttributeError, LookupError, ValueError, EOFError)
"""What Ultralytics' loader raises, by the way in which a file is no checkpoint."""


class TrainingSetTrainer(DetectionTrainer):
    """Ultralytics' trainer for a dataset that needs no checking, no fonts and no reporting.

    Its hooks are all replaced: `get_dataset` would download a font, `run_callbacks` would call
    the integrations that send data away, `final_eval` would look at the held-out images twice.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        data: Mapping[str, Any],
        listen: Callable[[Running, str], None],
    ) -> None:
        self._dataset = dict(data)
        self._listen = listen
        super().__init__(overrides=dict(options))
        validating = cast("dict[str, list[Callable[[object], None]]]", self.callbacks)
        validating["on_val_batch_start"].append(self._validating)

    def get_dataset(self) -> dict[str, Any]:
        return self._dataset

    def run_callbacks(self, event: str) -> None:
        self._listen(cast(Running, self), event)

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
    listener: Listener,
) -> Path:
    """Train, and return the best checkpoint, without its optimizer.

    What the starting checkpoint knows of a label is kept, by name or by the name that the
    control says other models have for it, also when it knows other labels besides.

    Args:
        lesson: what to learn.
        folder: an empty one, for images and checkpoints.
        start: the checkpoint to start from.
        options: Ultralytics' training arguments, but for the batch.
        batch: images a step; fewer where memory runs out, which Ultralytics itself sees to in
            the first epoch only.
        listener: hears of every batch.

    Raises:
        NoWeights: when the starting checkpoint cannot be loaded, or finds no boxes.
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
            Any, TrainingSetTrainer({**options, **placed, **_stepping(batch)}, data, listener)
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
        raise NoWeights(f"{start} is a checkpoint for another task, {weights.task}", hint)
    return weights


def _stepping(batch: int) -> dict[str, int]:
    """Batches of this size, and a step of the optimizer after each."""
    return {"batch": batch, "nbs": batch}


def precision(device: str) -> str | bool:
    """Half precision where the chip has bfloat16, which needs no check by downloaded weights."""
    chip = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if chip else False
