"""Answers to altered copies of the least certain images: a sound answer survives a blur or a flip.

Test-time augmentation as ModelArts' aug_consistent_mining uses it. An alteration that changes what
these pictures mean (a mirrored letter) shows on the labeled images, and is left out.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from backend.domain.answers import Answer, ImageRef, Region, Regions
from backend.domain.batches import ImageBatch, PredictionBatch, ProjectPredictions
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import clipped
from backend.domain.schema import Control, TaskKind
from backend.policies.certification.correctness import is_right
from backend.ports.images import AugmentedExtractor, Fetch
from backend.ports.model_family import Model
from backend.ports.progress import Progress
from backend.services.training.dataset import Dataset, answered

BLURRED, MIRRORED, CROPPED = 19, 20, 21
OF_IMAGES = (BLURRED, MIRRORED, CROPPED)
OF_BOXES = (BLURRED, MIRRORED)
"""A crop cuts boxes in two, and what it cut is no change of mind."""

LARGEST_PART = 0.25
"""Share of the images that are viewed at most: a view costs as much as a first look."""

BOXES_COST = 5
"""How much dearer finding boxes is than embedding; so many times fewer images are viewed."""

PROBE = 40
"""Labeled images on which an alteration must keep most answers right."""


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    """Looks again at no more than `most` images.

    `temporary` creates a folder for their copies, and deletes it afterwards.
    """

    extractor: AugmentedExtractor
    most: int
    temporary: Callable[[], AbstractContextManager[Path]]

    def views(
        self,
        control: Control,
        model: Model,
        dataset: Dataset,
        predicted: ProjectPredictions,
        progress: Progress,
    ) -> Mapping[int, PredictionBatch]:
        """By alteration, the guesses with the viewed rows replaced; the others did not change."""
        plain = predicted.predictions[control.name]
        rows = self._least_certain(control, plain)
        if not rows:
            return {}
        numbers = OF_BOXES if control.kind is TaskKind.DETECTION else OF_IMAGES
        found: dict[int, PredictionBatch] = {}
        for number in numbers:
            look = partial(self._look, control, model, number, progress)
            try:
                if self._keeps_meaning(control, dataset, look):
                    found[number] = plain.with_rows(rows, look(predicted.images.take(rows)))
            except UnreadableImage:  # gone since the first look; its views are no loss
                continue
        return found

    def _least_certain(self, control: Control, plain: PredictionBatch) -> list[int]:
        most = self.most // BOXES_COST if control.kind is TaskKind.DETECTION else self.most
        count = min(most, int(LARGEST_PART * len(plain.answers)))
        return sorted(int(row) for row in np.argsort(plain.confidence, kind="stable")[:count])

    def _keeps_meaning(self, control: Control, dataset: Dataset, look: "_Look") -> bool:
        """Boxes keep theirs: they are mapped back."""
        rows, answers = answered(control, dataset)
        if control.kind is TaskKind.DETECTION or not rows:
            return True
        probe = range(0, len(rows), max(1, len(rows) // PROBE))
        seen = look(dataset.labeled.take([rows[place] for place in probe]))
        right = sum(
            is_right(said, answers[place]) for said, place in zip(seen.answers, probe, strict=True)
        )
        return right >= len(probe) / 2

    def _look(
        self,
        control: Control,
        model: Model,
        number: int,
        progress: Progress,
        images: ImageBatch,
    ) -> PredictionBatch:
        """Guesses on altered copies. Raises UnreadableImage."""
        with self.temporary() as folder:
            fetch: Fetch = partial(_augmented_file, self.extractor, number, folder)
            if control.kind is TaskKind.DETECTION:
                seen = model.predict(images, fetch, progress)
                return _mirrored_back(seen) if number == MIRRORED else seen
            augmented, gone = self.extractor.extract_augmented(images.refs, number, progress)
            if gone:
                raise UnreadableImage(gone[0].reason)
            return model.predict(augmented, fetch, progress)


_Look = partial[PredictionBatch]


def _augmented_file(
    extractor: AugmentedExtractor, number: int, folder: Path, ref: ImageRef
) -> Path:
    return extractor.fetch_augmented(ref, number, folder)


def _mirrored_back(seen: PredictionBatch) -> PredictionBatch:
    return replace(seen, answers=tuple(_mirror(answer) for answer in seen.answers))


def _mirror(answer: Answer) -> Answer:
    if not isinstance(answer, Regions):
        return answer
    return Regions(tuple(_mirror_region(region) for region in answer.regions))


def _mirror_region(region: Region) -> Region:
    box = region.box
    return replace(region, box=clipped(1 - box.right, box.top, 1 - box.left, box.bottom) or box)
