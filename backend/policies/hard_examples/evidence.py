"""What the criteria of hard examples take and return."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.arrays import Floats, Targets
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.items import ItemKind
from backend.domain.schema import Control
from backend.domain.targets import multi_hot
from backend.policies.hard_examples.neighborhood import Neighborhood, neighborhood


@dataclass(frozen=True)
class Evidence:
    """A model's answers to n images, and the m labeled images to compare them with.

    `views` are the answers to augmented copies of the same images, by reason number
    (`consistency.AUGMENTATIONS`); the caller maps boxes back to the original image.
    `crops` (n, 2) and `labeled_crops` (m, 2) are the mean brightness of an image's boxes and
    log1p of their mean sharpness, NaN for images without boxes. What several criteria need is
    computed once, when the first of them asks.
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
    def items(self) -> str:
        """What is compared: `images` or `texts`."""
        return self.images.refs[0].kind.plural if self.images.refs else ItemKind.IMAGE.plural

    @cached_property
    def predicted(self) -> Targets:
        """(n, K) multi-hot labels of the predictions."""
        return multi_hot(self.predictions.answers, self.control.labels)

    @cached_property
    def given(self) -> Targets:
        """(m, K) multi-hot labels of the annotations."""
        return multi_hot(self.labeled_answers, self.control.labels)

    @cached_property
    def near_labeled(self) -> Neighborhood:
        """The labeled images near each image."""
        return neighborhood(self.images.features, self.labeled.features, self.given)

    @cached_property
    def among_labeled(self) -> Neighborhood:
        """The other labeled images near each labeled one."""
        features = self.labeled.features
        return neighborhood(features, features, self.given, skip_self=True)


@dataclass(frozen=True, slots=True)
class HardReason:
    """One reason why images may be hard.

    `number` is ModelArts' reason number; `strength` (n,) in [0, 1] says how much it applies to each
    image; `describe(i)` is the sentence for image i.
    """

    number: int
    strength: Floats
    describe: Callable[[int], str]


def summary(answer: Answer) -> str:
    """Summarize an answer, such as "2 boxes of 'cat'"."""
    names = ", ".join(f"'{label}'" for label in answer.labels[:3])
    if isinstance(answer, Regions) and names:
        count = len(answer.regions)
        return f"{count} {'box' if count == 1 else 'boxes'} of {names}"
    return names or "nothing"


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Return 0 up to `low`, 1 from `high` on, linear in between."""
    return np.clip((values - low) / (high - low), 0, 1)


def robust_z(values: Floats, reference: Floats, floor: float) -> Floats:
    """Return the distance to the reference's median in robust standard deviations (MAD).

    The standard deviation is at least `floor`. NaN values get 0, as do all values when fewer than
    five reference values are known.
    """
    known = reference[np.isfinite(reference)]
    if len(known) < 5:
        return np.zeros(len(values))
    center = np.median(known)
    spread = max(1.4826 * float(np.median(np.abs(known - center))), floor)
    return np.nan_to_num((values - center) / spread)
