"""Images: their files, and their features."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.geometry import Box
from backend.ports.progress import Progress

Fetch = Callable[[ImageRef], Path]
"""The local file of an image. Raises UnreadableImage."""


class ImageFiles(Protocol):
    """Addresses to local files: fetched once, kept in a bounded cache."""

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        """The content digest of each image, in order; fetches the unknown ones concurrently."""
        ...

    def path(self, ref: ImageRef) -> Path:
        """The local file, fetched again if the cache let it go. Raises UnreadableImage."""
        ...


class FeatureExtractor(Protocol):
    """Images as the models see them: fetched, decoded, embedded, cached."""

    @property
    def backbone(self) -> str: ...

    @property
    def device(self) -> str: ...

    def look(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Readable images in the order asked for, and the others with why not."""
        ...

    def extract_augmented(
        self, refs: Sequence[ImageRef], augmentation: int, progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """The same of altered copies: blurred (19), mirrored (20) or cropped (21)."""
        ...

    def fetch_augmented(self, ref: ImageRef, augmentation: int, folder: Path) -> Path:
        """An altered copy, written into the folder. Raises UnreadableImage."""
        ...

    def box_statistics(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        """Mean brightness and sharpness of at least one box. Raises UnreadableImage."""
        ...

    def fetch(self, ref: ImageRef) -> Path:
        """The local file. Raises UnreadableImage."""
        ...

    def timings(self) -> Mapping[str, float]:
        """Seconds spent since the start: `fetch` (waiting for files) and `embed`."""
        ...

    def notes(self) -> Mapping[str, int]:
        """How many images were changed to be read, by kind, such as `composited_over_white`."""
        ...
