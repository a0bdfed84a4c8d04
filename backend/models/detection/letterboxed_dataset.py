"""The training images and boxes as tensors, for the engines without a training of their own."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Torch leaves some of its arguments without types.

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from backend.domain.answers import Answer, Regions
from backend.domain.ids import Label
from backend.domain.steps import Step
from backend.models.detection.engine import PixelBatch
from backend.models.detection.letterbox import Letterboxed, letterbox
from backend.models.images.upright import reading
from backend.ports.model_family import TrainingSet

Target = dict[str, Tensor]
"""`boxes` (m, 4): corners in pixels of the image; `labels` (m,): positions in the control's."""

Example = tuple[Tensor, Target]
"""An image (3, height, width), RGB in [0, 1], and its boxes."""

Augmentation = Callable[[tv_tensors.Image, Target], Example]

GRAY = 114 / 255
"""Value of padding, as `letterbox` pads."""


class LetterboxedDataset(torch.utils.data.Dataset[Example]):
    """Letterboxed images and their boxes, kept in memory and augmented at each access."""

    def __init__(self, training_set: TrainingSet, size: int, augment: Augmentation) -> None:
        self._examples: list[tuple[Letterboxed, Target]] = []
        pairs = zip(training_set.train.refs, training_set.train_answers, strict=True)
        for ref, answer in pairs:
            training_set.progress(Step.TRAIN, 0, 1, "reading images")  # only epochs advance the bar
            with reading(training_set.fetch(ref)) as pixels:
                image = letterbox(pixels, size)
            self._examples.append((image, target(image, answer, training_set.control.labels)))
        self._augment = augment

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
    """Build the target of an image; boxes with a label that is not listed are left out."""
    regions = answer.regions if isinstance(answer, Regions) else ()
    known = [region for region in regions if region.label in labels]
    corners = [(r.box.left, r.box.top, r.box.right, r.box.bottom) for r in known]
    boxes = image.to_pixels(np.array(corners, dtype=np.float64).reshape(-1, 4))
    return {
        "boxes": torch.from_numpy(boxes.astype(np.float32)),
        "labels": torch.tensor([labels.index(one.label) for one in known], dtype=torch.int64),
    }


def to_tensor(batch: PixelBatch) -> Tensor:
    """Convert (b, h, w, 3) BGR to (b, 3, h, w) RGB in [0, 1]."""
    rgb = np.ascontiguousarray(batch[..., ::-1].transpose(0, 3, 1, 2))
    return torch.from_numpy(rgb).float() / 255


def augmentation(scaling: v2.Transform) -> v2.Compose:
    """Vary colour, scale and position and mirror; `scaling` does the second and the third."""
    return v2.Compose(
        [
            v2.RandomPhotometricDistort(p=0.5),
            scaling,
            v2.RandomHorizontalFlip(p=0.5),
            v2.ClampBoundingBoxes(),
            v2.SanitizeBoundingBoxes(min_size=2),
        ]
    )
