"""Augmented copies of images, to test whether a prediction is stable.

The numbers are those of `policies.hard_examples.consistency.AUGMENTATIONS`. No augmentation changes
what an image shows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.arrays import Pixels
from backend.models.embedding.encoder import Encoder, Vectors
from backend.models.images.upright import reading
from backend.ports.images import ImageFiles

BLUR = 0.004
"""Standard deviation of the Gaussian, as a fraction of the longer side."""

MARGIN = 0.04
"""Fraction of the image that is cropped at each side."""


def blurred(image: Pixels) -> Pixels:
    return cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape)).astype(np.uint8, copy=False)


def mirrored(image: Pixels) -> Pixels:
    return np.ascontiguousarray(image[:, ::-1])


def cropped(image: Pixels) -> Pixels:
    """Crop the margins and enlarge the rest to the original size."""
    height, width = image.shape[:2]
    top, left = int(MARGIN * height), int(MARGIN * width)
    middle = image[top : height - top, left : width - left]
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_LINEAR).astype(
        np.uint8, copy=False
    )


AUGMENT: Mapping[int, Callable[[Pixels], Pixels]] = {19: blurred, 20: mirrored, 21: cropped}
"""(height, width, 3) to the same shape."""


def augmented_file(original: Path, augmentation: int, copy: Path) -> Path:
    """Write an upright, augmented copy as PNG. Raises UnreadableImage."""
    with reading(original) as pixels:
        augmented = AUGMENT[augmentation](pixels)
        encoded = cv2.imencode(".png", augmented, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    copy.write_bytes(encoded.tobytes())
    return copy


@dataclass(frozen=True, slots=True)
class AugmentingEncoder:
    """An encoder that augments every image before it embeds it."""

    encoder: Encoder
    augmentation: int

    @property
    def side(self) -> int:
        return self.encoder.side

    @property
    def width(self) -> int:
        return self.encoder.width

    @property
    def batch(self) -> int:
        return self.encoder.batch

    def embed(self, images: Pixels) -> Vectors:
        augment = AUGMENT[self.augmentation]
        return self.encoder.embed(np.stack([augment(image) for image in images]))


@dataclass(frozen=True, slots=True)
class AugmentedFiles:
    """The same files under other digests, so that the cache keeps originals and copies apart."""

    files: ImageFiles
    augmentation: int

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        for found in self.files.digests(refs):
            if isinstance(found, NoPrediction):
                yield found
            else:
                ref, digest = found
                yield ref, self._of_copy(digest)

    def known(self, refs: Sequence[ImageRef]) -> Sequence[str | None]:
        digests = self.files.known(refs)
        return [None if digest is None else self._of_copy(digest) for digest in digests]

    def path(self, ref: ImageRef) -> Path:
        return self.files.path(ref)

    def _of_copy(self, digest: str) -> str:
        return f"{digest}/{self.augmentation}"
