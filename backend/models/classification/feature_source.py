"""The features that a head was trained on; those of two encoders never mix."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch
from backend.domain.errors import BadInput, UnreadableImage
from backend.ports.progress import Progress


class Features(Protocol):
    """Computes features by the name of an encoder; part of `ports.images.ImageModels`."""

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]: ...

    def extract_augmented(
        self,
        refs: Sequence[ImageRef],
        augmentation: int,
        progress: Progress,
        backbone: str = "",
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]: ...

    def save_encoder(self, backbone: str, folder: Path) -> None: ...

    def load_encoder(self, backbone: str, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """Returns features of one encoder, also for images that another one has embedded.

    Attributes:
        backbone: the name of the encoder; empty if nobody knows it.
        extractor: opens what embeds images; None where all have been embedded by this encoder.
    """

    backbone: str = ""
    extractor: Callable[[], Features] | None = None

    def features(self, images: ImageBatch, progress: Progress) -> Floats:
        """Return the features of all images, computed anew if another encoder embedded them.

        Raises:
            UnreadableImage: when an image cannot be read any more.
            BadInput: when they are another encoder's, and there is nothing to embed them with.
        """
        if images.backbone == self.backbone or not (images.backbone and self.backbone):
            return images.features
        if self.extractor is None:
            message = f"features of {images.backbone}, not of {self.backbone}"
            raise BadInput(message, "Train again, or embed the images by that encoder")
        return self._embedded(self.extractor(), images, progress)

    def save(self, folder: Path) -> None:
        """Write the encoder into the folder of a model, where it was fitted to the project."""
        if self.extractor:
            self.extractor().save_encoder(self.backbone, folder)

    def load(self, folder: Path) -> None:
        """Read the encoder from the folder of a model, where it was fitted to the project.

        Raises:
            BadInput: when it is missing or damaged.
        """
        if self.extractor:
            self.extractor().load_encoder(self.backbone, folder)

    def _embedded(self, extractor: Features, images: ImageBatch, progress: Progress) -> Floats:
        if images.augmentation:
            found, lost = extractor.extract_augmented(
                images.refs, images.augmentation, progress, self.backbone
            )
        else:
            found, lost = extractor.extract(images.refs, progress, self.backbone)
        if lost:
            raise UnreadableImage(lost[0].reason)
        return found.features
