"""The training images and boxes as torchvision's detectors take them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from backend.domain.answers import Answer, Regions
from backend.domain.ids import Label
from backend.domain.steps import Step
from backend.models.detection.letterbox import Letterboxed, letterbox
from backend.models.detection.torchvision_engine.network import to_tensor
from backend.models.images.upright import reading
from backend.ports.model_family import TrainingSet

Target = dict[str, Tensor]
Example = tuple[Tensor, Target]


class LetterboxedDataset(torch.utils.data.Dataset[Example]):
    """Letterboxed images and their boxes, kept in memory and augmented at each access."""

    def __init__(self, training_set: TrainingSet, size: int) -> None:
        self._examples: list[tuple[Letterboxed, Target]] = []
        pairs = zip(training_set.train.refs, training_set.train_answers, strict=True)
        for ref, answer in pairs:
            training_set.progress(Step.TRAIN, 0, 1, "reading images")  # only epochs advance the bar
            with reading(training_set.fetch(ref)) as pixels:
                image = letterbox(pixels, size)
            self._examples.append((image, target(image, answer, training_set.control.labels)))
        self._augment = augmentation()

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, position: int) -> Example:
        letterboxed, truth = self._examples[position]
        image = to_tensor(letterboxed.pixels[None])[0]
        boxes = cast(Any, tv_tensors.BoundingBoxes)(
            truth["boxes"], format="XYXY", canvas_size=tuple(image.shape[-2:])
        )
        return self._augment(tv_tensors.Image(image), {"boxes": boxes, "labels": truth["labels"]})


def target(image: Letterboxed, answer: Answer, labels: Sequence[Label]) -> Target:
    """Build torchvision's target: corners in pixels of the letterboxed image, labels from 1 on."""
    regions = answer.regions if isinstance(answer, Regions) else ()
    known = [region for region in regions if region.label in labels]
    corners = [(r.box.left, r.box.top, r.box.right, r.box.bottom) for r in known]
    boxes = image.to_pixels(np.array(corners, dtype=np.float64).reshape(-1, 4))
    numbers = [1 + labels.index(region.label) for region in known]
    return {
        "boxes": torch.from_numpy(boxes.astype(np.float32)),
        "labels": torch.tensor(numbers, dtype=torch.int64),
    }


def augmentation() -> v2.Compose:
    """Vary colour, scale and position and mirror, as torchvision's reference trainings do."""
    return v2.Compose(
        [
            v2.RandomPhotometricDistort(p=0.5),
            v2.RandomZoomOut(fill=114 / 255, side_range=(1.0, 2.0), p=0.3),
            v2.RandomHorizontalFlip(p=0.5),
            v2.ClampBoundingBoxes(),
            v2.SanitizeBoundingBoxes(min_size=2),
        ]
    )
