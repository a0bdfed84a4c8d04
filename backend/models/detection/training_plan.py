"""How long and how gently to train a detector, by what there is to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer, Regions

SIZES = (320, 480, 640)
"""Image sizes to choose from: longer side in pixels."""

SMALLEST_SIDE = 12.0
"""Pixels that the short side of nine boxes in ten should keep. Detection heads begin at a stride
of 8 pixels (YOLO, arXiv 2107.08430; FPN, arXiv 1612.03144); a box below 1.5 cells is mostly lost.
"""

CHOOSING = 8
"""Held-out images from which on the best epoch is chosen by them; with fewer, the choice would be
noise, and the last epoch stands."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """All that depends on the data and the time at hand.

    `frozen`: share of the backbone that stays as it was, 0 to 1. `mosaic`: probability of
    pasting four images into one. `patience`: epochs without gain before stopping. `minutes`: the
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
        """Epochs between two looks at the held-out images: about twelve looks in all."""
        return max(1, self.epochs // 12)


_TABLE = (
    # images, epochs, batch, learning rate
    (50, 40, 4, 2e-3),
    (200, 40, 8, 2e-3),
    (1000, 40, 16, 1e-3),
    (10**9, 30, 16, 1e-3),
)
"""Rows by the number of images, up to and including.

Small batches for few images: what few-shot training lacks is steps. On 20 images of BCCD, 20
epochs of batches of 4 with a step after each reach mAP50 0.86, the library's batches of 16 with a
step every 64 images 0.57, in the same time (`tests/bench/bench_detection.py`). AdamW and about
this rate are also what Ultralytics chooses by itself for few steps and few labels.
"""

MOSAIC = 1.0
"""Probability of pasting four images into one (YOLOv4, arXiv 2004.10934). On 20 images of BCCD
mAP50 falls from 0.82 to 0.76 without."""

HURRY = 3.0
"""Minutes below which a CPU trains the neck and the head only. Frozen, an epoch takes half the
time; but at equal epochs mAP50 on BCCD falls from 0.82 to 0.76, so it pays only in a hurry."""


def plan(answers: Sequence[Answer], *, on_gpu: bool, minutes: float, goes_on: bool) -> TrainingPlan:
    """The plan for these answers to the images to learn from.

    Args:
        answers: one an image.
        on_gpu: a graphics processor affords full image size; a CPU gets the smallest that fits.
        minutes: the time budget.
        goes_on: whether training goes on from a network that knows the labels already; it then
            needs half the epochs, at half the rate, so that it does not forget.
    """
    _, epochs, batch, rate = next(row for row in _TABLE if len(answers) <= row[0])
    epochs = epochs // 2 if goes_on else epochs
    return TrainingPlan(
        epochs=epochs,
        batch=min(batch, max(1, len(answers))),
        image_size=SIZES[-1] if on_gpu else image_size(answers),
        frozen=1.0 if minutes < HURRY and not on_gpu else 0.0,
        learning_rate=rate / 2 if goes_on else rate,
        mosaic=MOSAIC,
        patience=max(10, epochs // 3),
        minutes=minutes,
    )


def image_size(answers: Sequence[Answer]) -> int:
    """The smallest size at which nine boxes in ten keep `SMALLEST_SIDE` pixels."""
    sides = [
        min(region.box.width, region.box.height)
        for answer in answers
        if isinstance(answer, Regions)
        for region in answer.regions
    ]
    small = float(np.quantile(sides, 0.1)) if sides else 1.0
    return next((size for size in SIZES if small * size >= SMALLEST_SIDE), SIZES[-1])
