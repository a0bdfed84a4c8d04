"""Hyperparameters of a training, by the number of images and the time at hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer, Regions

SIZES = (320, 480, 640)
"""Image sizes to choose from: longer side, in pixels."""

SMALLEST_SIDE = 12.0
"""Pixels that the short side of 9 in 10 boxes should keep. Detection heads start at a stride
of 8 pixels (YOLO, arXiv 2107.08430; FPN, arXiv 1612.03144); a box below 1.5 cells is mostly lost.
"""

MIN_VALIDATION = 8
"""Held-out images needed to choose the best epoch. With fewer the choice would be noise, so the
last epoch is kept."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Hyperparameters that depend on the data and the time at hand.

    `frozen`: share of the backbone that is not trained, 0 to 1. `mosaic`: probability of pasting
    four images into one. `patience`: epochs without a gain before stopping early. `minutes`: time
    budget; the schedule is shortened to fit it.
    """

    epochs: int
    batch: int
    image_size: int
    frozen: float
    learning_rate: float
    mosaic: float
    patience: int
    minutes: float

    @property
    def validations(self) -> int:
        """Epochs between two validations; about twelve validations in all."""
        return max(1, self.epochs // 12)


_TABLE = (
    # images, epochs, batch, learning rate
    (50, 40, 4, 2e-3),
    (200, 40, 8, 2e-3),
    (1000, 40, 16, 1e-3),
    (10**9, 30, 16, 1e-3),
)
"""Rows by the largest number of images that they apply to.

Small batches for few images: few-shot training lacks steps. On 20 images of BCCD, 20
epochs of batches of 4 with a step after each reach mAP50 0.86, the library's batches of 16 with a
step every 64 images 0.57, in the same time (`tests/bench/bench_detection.py`). AdamW and about
this rate are also what Ultralytics chooses by itself for few steps and few labels.
"""

MOSAIC = 1.0
"""Probability of pasting four images into one (YOLOv4, arXiv 2004.10934). On 20 images of BCCD
mAP50 falls from 0.82 to 0.76 without."""

FREEZE_BELOW = 3.0
"""Minutes below which a CPU trains the neck and the head only. An epoch then takes half the time,
but at equal epochs mAP50 on BCCD falls from 0.82 to 0.76, so it pays only when time is short."""


def plan(
    answers: Sequence[Answer], *, on_gpu: bool, minutes: float, continued: bool
) -> TrainingPlan:
    """Plan a training.

    Args:
        answers: one per training image.
        on_gpu: a GPU trains at the full image size, a CPU at the smallest that fits the boxes.
        minutes: time budget.
        continued: whether training continues from a network that knows the labels already. It
            then takes half the epochs, at half the learning rate so that it does not forget.
    """
    _, epochs, batch, rate = next(row for row in _TABLE if len(answers) <= row[0])
    epochs = epochs // 2 if continued else epochs
    return TrainingPlan(
        epochs=epochs,
        batch=min(batch, max(1, len(answers))),
        image_size=SIZES[-1] if on_gpu else image_size(answers),
        frozen=1.0 if minutes < FREEZE_BELOW and not on_gpu else 0.0,
        learning_rate=rate / 2 if continued else rate,
        mosaic=MOSAIC,
        patience=max(10, epochs // 3),
        minutes=minutes,
    )


def image_size(answers: Sequence[Answer]) -> int:
    """Choose the smallest size at which 9 in 10 boxes keep `SMALLEST_SIDE` pixels."""
    sides = [
        min(region.box.width, region.box.height)
        for answer in answers
        if isinstance(answer, Regions)
        for region in answer.regions
    ]
    small = float(np.quantile(sides, 0.1)) if sides else 1.0
    return next((size for size in SIZES if small * size >= SMALLEST_SIDE), SIZES[-1])
