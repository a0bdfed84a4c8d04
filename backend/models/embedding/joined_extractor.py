"""Concatenate the features of several encoders, each of which keeps a cache of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch
from backend.domain.ids import TaskId
from backend.domain.large_arrays import release, zeros_beside
from backend.domain.steps import Step
from backend.models.embedding.backbones import JOINT
from backend.ports.progress import Progress

_ROWS = 4096
"""Rows joined at a time."""


class EncoderFeatures(Protocol):
    """The features of one encoder, or of several joined ones."""

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]: ...

    def uncached(self, refs: Sequence[ImageRef]) -> int: ...

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress) -> None: ...

    def forget_ahead(self) -> None: ...

    def extract_augmented(
        self, refs: Sequence[ImageRef], augmentation: int, progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]: ...


@dataclass(frozen=True, slots=True)
class JoinedExtractor:
    """Joins the features of `parts`: k vectors of length 1 become one of length 1.

    Each is divided by the square root of k, so that all encoders weigh the same in a dot product.
    """

    parts: Sequence[EncoderFeatures]

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return the images that every encoder could read, in the order asked for."""
        found = [
            part.extract(refs, _turn(progress, turn, len(self.parts)))
            for turn, part in enumerate(self.parts)
        ]
        return _joined(refs, found)

    def uncached(self, refs: Sequence[ImageRef]) -> int:
        """Return the largest count of any encoder."""
        return max(part.uncached(refs) for part in self.parts)

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress) -> None:
        for turn, part in enumerate(self.parts):
            part.look_ahead(refs, _turn(progress, turn, len(self.parts)))

    def forget_ahead(self) -> None:
        for part in self.parts:
            part.forget_ahead()

    def extract_augmented(
        self, refs: Sequence[ImageRef], augmentation: int, progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return the augmented copies that every encoder could read, in the order asked for."""
        found = [
            part.extract_augmented(refs, augmentation, _turn(progress, turn, len(self.parts)))
            for turn, part in enumerate(self.parts)
        ]
        return _joined(refs, found)


def _turn(progress: Progress, turn: int, turns: int) -> Progress:
    """Report one of several passes over the same images as a share of the images."""

    def report(step: Step, done: int, of: int, detail: str = "") -> None:
        progress(step, (turn * of + done) // turns, of, detail)

    return report


def _joined(
    refs: Sequence[ImageRef], found: Sequence[tuple[ImageBatch, Sequence[NoPrediction]]]
) -> tuple[ImageBatch, Sequence[NoPrediction]]:
    lost = {slot.task: slot for _, unreadable in found for slot in unreadable}
    batches = [_without(images, lost) for images, _ in found]
    images = replace(
        batches[0],
        features=_side_by_side([batch.features for batch in batches]),
        backbone=JOINT.join(batch.backbone for batch in batches),
    )
    return images, [lost[ref.task] for ref in refs if ref.task in lost]


def _side_by_side(parts: Sequence[Floats]) -> Floats:
    """Return (n, the sum of the widths) float16; of no part a copy is held meanwhile."""
    joined = zeros_beside(parts[0], len(parts[0]), sum(part.shape[1] for part in parts))
    for start in range(0, len(joined), _ROWS):
        rows = slice(start, start + _ROWS)
        np.concatenate([part[rows] for part in parts], axis=1, out=joined[rows])
        joined[rows] *= len(parts) ** -0.5
        for used in (*parts, joined):
            release(used)
    return joined


def _without(images: ImageBatch, lost: Mapping[TaskId, NoPrediction]) -> ImageBatch:
    """Drop what another encoder could not read: a file that went away between two passes."""
    if not lost:
        return images
    return images.take([row for row, task in enumerate(images.tasks) if task not in lost])
