"""Predict augmented copies of the least certain images: sound predictions survive a blur or a flip.

Test-time augmentation, as in ModelArts' aug_consistent_mining. An augmentation that changes what
the images mean (mirrored letters) changes right answers about held-out images,
too, and is left out.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from backend.domain.answers import Answer, ImageRef, Region, Regions
from backend.domain.batches import ImageBatch, PredictionBatch, ProjectPredictions
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import clipped
from backend.domain.ids import ControlName
from backend.domain.schema import Control, TaskKind
from backend.domain.versions import AugmentationTrial
from backend.policies.hard_examples.consistency import try_augmentation
from backend.ports.images import AugmentedExtractor, Fetch
from backend.ports.model_family import Model, TrainingSet
from backend.ports.progress import Progress
from backend.services.training.train import TrainedModels

BLURRED, MIRRORED, CROPPED = 19, 20, 21
OF_IMAGES = (BLURRED, MIRRORED, CROPPED)
OF_BOXES = (BLURRED, MIRRORED)
"""No crops: they cut boxes in two, which says nothing about consistency."""

LARGEST_PART = 0.25
"""Largest share of the images to augment: each copy costs as much as the image itself."""

BOXES_COST = 5
"""How many times more detection costs than embedding; as many times fewer images are augmented."""

PROBE = 60
"""Held-out images that an augmentation is tried on at most; BOXES_COST times fewer with boxes."""


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    """Predicts augmented copies of at most `most` images.

    `temporary` creates a folder for their copies, and deletes it afterwards.
    """

    extractor: AugmentedExtractor
    most: int
    temporary: Callable[[], AbstractContextManager[Path]]

    def trials(
        self, trained: TrainedModels, progress: Progress
    ) -> Mapping[ControlName, tuple[AugmentationTrial, ...]]:
        """Try the augmentations on the held-out images of each control."""
        if not self.most:
            return {}
        return {
            name: tuple(self._trials(training_set, trained.models[name], progress))
            for name, training_set in trained.training_sets.items()
            if self._are_augmented(training_set.held_out)
        }

    def views(
        self,
        control: Control,
        model: Model,
        predicted: ProjectPredictions,
        trials: Collection[AugmentationTrial],
        progress: Progress,
    ) -> Mapping[int, PredictionBatch]:
        """Return the predictions by augmentation; rows that were not augmented are unchanged.

        Args:
            control: that the model answers.
            model: of the version that people see.
            predicted: by it, unaugmented.
            trials: of the version; augmentations that passed none are left out.
            progress: of the predictions.
        """
        plain = predicted.predictions[control.name]
        rows = self._least_certain(control, plain)
        if not rows or not self._are_augmented(predicted.images):
            return {}
        found: dict[int, PredictionBatch] = {}
        for number in (trial.number for trial in trials if trial.used):
            with suppress(UnreadableImage):  # gone meanwhile: its copies are not needed
                seen = self._predict(control, model, number, progress, predicted.images.take(rows))
                found[number] = plain.with_rows(rows, seen)
        return found

    def _are_augmented(self, images: ImageBatch) -> bool:
        return all(self.extractor.augments(kind) for kind in {ref.kind for ref in images.refs})

    def _trials(
        self, training_set: TrainingSet, model: Model, progress: Progress
    ) -> Iterator[AugmentationTrial]:
        control, held_out = training_set.control, training_set.held_out
        boxes = control.kind is TaskKind.DETECTION
        probe = range(min(len(held_out), PROBE // BOXES_COST if boxes else PROBE))
        if not probe:
            return
        images, truths = held_out.take(probe), [training_set.held_out_answers[row] for row in probe]
        with suppress(UnreadableImage):  # gone meanwhile: what was not tried is not used
            plain = model.predict(images, training_set.fetch, progress).answers
            for number in OF_BOXES if boxes else OF_IMAGES:
                seen = self._predict(control, model, number, progress, images).answers
                yield try_augmentation(number, plain, seen, truths)

    def _least_certain(self, control: Control, plain: PredictionBatch) -> list[int]:
        most = self.most // BOXES_COST if control.kind is TaskKind.DETECTION else self.most
        count = min(most, int(LARGEST_PART * len(plain.answers)))
        return sorted(int(row) for row in np.argsort(plain.confidence, kind="stable")[:count])

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
