"""Predict augmented copies of the least certain images: sound predictions survive a blur or a flip.

Test-time augmentation, as in ModelArts' aug_consistent_mining. An augmentation that changes what
the images mean (mirrored letters) changes predictions of labeled images too, and is left out.
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
"""No crops: they cut boxes in two, which says nothing about consistency."""

LARGEST_PART = 0.25
"""Largest share of the images to augment: each copy costs as much as the image itself."""

BOXES_COST = 5
"""How many times more detection costs than embedding; as many times fewer images are augmented."""

PROBE = 40
"""Labeled images on which an augmentation must keep most predictions right."""


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    """Predicts augmented copies of at most `most` images.

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
        """Return the predictions by augmentation; rows that were not augmented are unchanged."""
        plain = predicted.predictions[control.name]
        rows = self._least_certain(control, plain)
        if not rows:
            return {}
        numbers = OF_BOXES if control.kind is TaskKind.DETECTION else OF_IMAGES
        found: dict[int, PredictionBatch] = {}
        for number in numbers:
            predict = partial(self._predict, control, model, number, progress)
            try:
                if self._keeps_meaning(control, dataset, predict):
                    found[number] = plain.with_rows(rows, predict(predicted.images.take(rows)))
            except UnreadableImage:  # gone meanwhile: its copies are not needed
                continue
        return found

    def _least_certain(self, control: Control, plain: PredictionBatch) -> list[int]:
        most = self.most // BOXES_COST if control.kind is TaskKind.DETECTION else self.most
        count = min(most, int(LARGEST_PART * len(plain.answers)))
        return sorted(int(row) for row in np.argsort(plain.confidence, kind="stable")[:count])

    def _keeps_meaning(self, control: Control, dataset: Dataset, predict: "_Predict") -> bool:
        """Return whether the augmentation preserves labels; always true for boxes, mapped back."""
        rows, answers = answered(control, dataset)
        if control.kind is TaskKind.DETECTION or not rows:
            return True
        probe = range(0, len(rows), max(1, len(rows) // PROBE))
        seen = predict(dataset.labeled.take([rows[place] for place in probe]))
        right = sum(
            is_right(answer, answers[place])
            for answer, place in zip(seen.answers, probe, strict=True)
        )
        return right >= len(probe) / 2

    def _predict(
        self,
        control: Control,
        model: Model,
        number: int,
        progress: Progress,
        images: ImageBatch,
    ) -> PredictionBatch:
        """Predict augmented copies. Raises UnreadableImage."""
        with self.temporary() as folder:
            fetch: Fetch = partial(_augmented_file, self.extractor, number, folder)
            if control.kind is TaskKind.DETECTION:
                seen = model.predict(images, fetch, progress)
                return _mirrored_back(seen) if number == MIRRORED else seen
            augmented, gone = self.extractor.extract_augmented(
                images.refs, number, progress, images.backbone
            )
            if gone:
                raise UnreadableImage(gone[0].reason)
            return model.predict(augmented, fetch, progress)


_Predict = partial[PredictionBatch]


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
