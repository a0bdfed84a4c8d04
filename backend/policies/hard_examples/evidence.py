"""What the miners look at, and what they find."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import Label
from backend.domain.schema import Control


@dataclass(frozen=True, slots=True)
class Evidence:
    """A model's answers to n images, and the m labeled images that they are held against.

    `views` are answers to altered copies of the same images, by the number of the alteration
    (`miners.views.AUGMENTATIONS`); boxes are mapped back to the unaltered image by the caller.
    `crops` (n, 2) and `labeled_crops` (m, 2) are the mean brightness of an image's boxes and
    log1p of their mean sharpness, NaN where it has none.
    """

    control: Control
    images: ImageBatch
    predictions: PredictionBatch
    labeled: ImageBatch
    labeled_answers: Sequence[Answer]
    views: Mapping[int, PredictionBatch] = field(default_factory=dict[int, PredictionBatch])
    crops: Floats | None = None
    labeled_crops: Floats | None = None

    @property
    def said(self) -> Floats:
        """(n, K) which labels each answer has."""
        return multi_hot(self.predictions.answers, self.control.labels)

    @property
    def labeled_said(self) -> Floats:
        """(m, K) which labels people gave."""
        return multi_hot(self.labeled_answers, self.control.labels)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one miner found: `strength` (n,) in [0, 1], and words for a position."""

    number: int
    strength: Floats
    words: Callable[[int], str]


def multi_hot(answers: Sequence[Answer], labels: Sequence[Label]) -> Floats:
    """(n, K) 1 where an answer has a label."""
    column = {label: k for k, label in enumerate(labels)}
    table = np.zeros((len(answers), len(labels)), dtype=np.float32)
    for row, answer in enumerate(answers):
        for label in answer.labels:
            if label in column:
                table[row, column[label]] = 1
    return table


def spoken(answer: Answer) -> str:
    """An answer in a few words."""
    names = ", ".join(f"'{label}'" for label in answer.labels[:3])
    if isinstance(answer, Regions) and names:
        count = len(answer.regions)
        return f"{count} {'box' if count == 1 else 'boxes'} of {names}"
    return names or "nothing"


def ramp(values: Floats, low: float, high: float) -> Floats:
    """0 up to `low`, 1 from `high` on, straight in between."""
    return np.clip((values - low) / (high - low), 0, 1)


def robust_z(values: Floats, reference: Floats, floor: float) -> Floats:
    """Distance from the reference's median in robust standard deviations, never below `floor`.

    NaN counts as nothing unusual.
    """
    known = reference[np.isfinite(reference)]
    if len(known) < 5:
        return np.zeros(len(values))
    center = np.median(known)
    spread = max(1.4826 * float(np.median(np.abs(known - center))), floor)
    return np.nan_to_num((values - center) / spread)
