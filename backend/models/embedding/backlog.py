"""Images that are still to be embedded, one for each content."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.domain.answers import ImageRef, NoPrediction
from backend.models.embedding.feature_cache import Entry


@dataclass(frozen=True, slots=True)
class PendingImage:
    """An image to embed, and its row in the batch that was asked for."""

    row: int
    ref: ImageRef
    digest: str


Outcome = tuple[int, Entry | NoPrediction]
"""A row, with the features of its image or the reason why there are none."""


class Backlog:
    """A queue of images to embed; images of equal content wait for the first one's result."""

    def __init__(self) -> None:
        self._queue: deque[PendingImage] = deque()
        self._equal: dict[str, list[PendingImage]] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, images: Iterable[PendingImage]) -> None:
        for image in images:
            equal = self._equal.setdefault(image.digest, [])
            equal.append(image)
            if len(equal) == 1:
                self._queue.append(image)

    def take(self, size: int) -> Sequence[PendingImage]:
        """Remove and return the next `size` images, in the order in which they came."""
        return [self._queue.popleft() for _ in range(size)]

    def embedded(self, digest: str, entry: Entry) -> Sequence[Outcome]:
        """Return the outcome of every image with this content."""
        return [(image.row, entry) for image in self._equal.pop(digest)]

    def failed(self, image: PendingImage, reason: str) -> Outcome:
        """Return the outcome of this image; the next one of equal content is queued instead."""
        equal = self._equal[image.digest]
        equal.remove(image)
        if equal:
            self._queue.append(equal[0])
        else:
            del self._equal[image.digest]
        return image.row, NoPrediction(image.ref.task, reason)
