"""Read the sizes of images from their headers, for models that need nothing else of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.errors import UnreadableImage
from backend.domain.steps import Step
from backend.models.images.decoding import opened
from backend.models.images.upright import upright_size
from backend.ports.images import ImageFiles
from backend.ports.progress import Progress


def without_features(
    refs: Sequence[ImageRef], files: ImageFiles, max_megapixels: float, progress: Progress
) -> tuple[ImageBatch, Sequence[NoPrediction]]:
    """Fetch images and return those with a good header, and the reason for each of the others.

    Of their statistics only width and height are known; the others are 0.

    Raises:
        Stopped: from `progress`.
    """
    sizes: list[tuple[ImageRef, tuple[int, int]]] = []
    unreadable: list[NoPrediction] = []
    for done, found in enumerate(files.digests(refs), start=1):
        if isinstance(found, NoPrediction):
            unreadable.append(found)
        else:
            ref, _ = found
            try:
                sizes.append((ref, _size(files.path(ref), max_megapixels)))
            except UnreadableImage as exc:
                unreadable.append(NoPrediction(ref.task, str(exc)))
        progress(Step.FETCH, done, len(refs))
    stats = np.zeros((len(sizes), len(IMAGE_STATS)), np.float32)
    stats[:, :2] = [size for _, size in sizes] or np.zeros((0, 2))
    features = np.zeros((len(sizes), 0), np.float16)
    return ImageBatch(tuple(ref for ref, _ in sizes), features, stats), unreadable


def _size(path: Path, max_megapixels: float) -> tuple[int, int]:
    with opened(path, max_megapixels) as image:
        return upright_size(image)
