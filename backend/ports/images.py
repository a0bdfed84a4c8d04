"""Files of images and texts, and features computed from them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.geometry import Box
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.domain.steps import Step
from backend.ports.progress import Progress

Fetch = Callable[[ImageRef], Path]
"""The local file of an image, in a format and size that may be decoded. Raises UnreadableImage."""

WritePreview = Callable[[ImageRef, Path], None]
"""Writes a small upright JPEG of an image to a path. Raises UnreadableImage."""


class SourceFiles(Protocol):
    """The image files that may be deleted on this machine."""

    def find(self, uri: str) -> Path | None:
        """Return the file of an image if it is below the folder in which files may be deleted."""
        ...

    def delete(self, path: Path) -> None:
        """Delete a file that `find` returned; one that is gone is no error."""
        ...


class ImageFiles(Protocol):
    """Addresses to local files: fetched once, kept in a bounded cache."""

    def digests(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str] | NoPrediction]:
        """Yield a digest of each image's content, in order; fetches missing ones concurrently."""
        ...

    def known(self, refs: Sequence[ImageRef]) -> Sequence[str | None]:
        """Return the digests that `digests` has at once, without a request; None for the others."""
        ...

    def path(self, ref: ImageRef) -> Path:
        """Return the local file, fetched again if the cache dropped it. Raises UnreadableImage."""
        ...


class ImageFetcher(Protocol):
    """Opens single images."""

    def fetch(self, ref: ImageRef) -> Path:
        """Return the local file, as `Fetch` describes it. Raises UnreadableImage."""
        ...


class FeatureExtractor(ImageFetcher, Protocol):
    """Turns images into features: fetched, decoded, embedded, cached.

    It opens any encoder by its name when that is first asked for.
    """

    @property
    def backbone(self) -> str:
        """The name of the encoder of all work that no model version prescribes one for."""
        ...

    @property
    def device(self) -> str: ...

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        """Count the images that this encoder has not embedded yet, or that cannot be fetched."""
        ...

    def choose(
        self,
        kinds: Collection[TaskKind],
        algorithm: Algorithm,
        items: ItemKind = ItemKind.IMAGE,
    ) -> str:
        """Return the encoder to train controls of these kinds on, about images or texts."""
        ...

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return readable images in the order asked for, and the reason for each of the others.

        Without `backbone` the features are those of the default encoder. The batch names the
        encoder that was used: where one was fitted to these items, by what it learned from them.
        """
        ...


class AheadExtractor(FeatureExtractor, Protocol):
    """Looks up features before they are asked for, while there is nothing else to do."""

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress, backbone: str) -> None:
        """Keep cached features of these images until `extract` asks for them. May keep none.

        Fetches and embeds nothing. Call `forget_ahead` before the images may have changed.

        Raises:
            Stopped: from `progress`.
        """
        ...

    def forget_ahead(self) -> None:
        """Forget the features that `extract` did not ask for."""
        ...


class SizeReader(Protocol):
    """Reads no more of images than models of rectangles need."""

    def without_features(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return images as `FeatureExtractor.extract` does, but decode and embed none.

        They have no features, and of all statistics only width and height. One whose pixels turn
        out to be damaged may be among them.
        """
        ...


class PredictingExtractor(FeatureExtractor, SizeReader, Protocol):
    """Reads images for models of any kind."""


class AugmentedExtractor(Protocol):
    """Augmentations of images: blurred (19), mirrored (20) or cropped (21) copies."""

    def augments(self, items: ItemKind) -> bool:
        """Return whether there are such copies of images, or of texts."""
        ...

    def extract_augmented(
        self,
        refs: Sequence[ImageRef],
        augmentation: int,
        progress: Progress,
        backbone: str = "",
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Extract as `FeatureExtractor.extract` does, from augmented copies."""
        ...

    def fetch_augmented(self, ref: ImageRef, augmentation: int, folder: Path) -> Path:
        """Return an augmented copy, written into the folder. Raises UnreadableImage."""
        ...


class BoxMeasurer(Protocol):
    """Measures what is inside boxes."""

    def box_statistics(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        """Return the mean brightness and sharpness of at least one box. Raises UnreadableImage."""
        ...


class Previewer(Protocol):
    """Makes small copies of images."""

    def write_preview(self, ref: ImageRef, target: Path) -> None:
        """Write a small upright JPEG. Raises UnreadableImage."""
        ...


class FittedEncoders(Protocol):
    """Keeps the encoders that were fitted to a project's items with the models trained on them.

    Published encoders are opened by their names, so for them both calls do nothing.
    """

    def save_encoder(self, backbone: str, folder: Path) -> None:
        """Write an encoder into the folder of a model."""
        ...

    def load_encoder(self, backbone: str, folder: Path) -> None:
        """Read an encoder from the folder of a model; then `extract` knows it by its name.

        Raises:
            BadInput: when it is missing or damaged.
        """
        ...


class ExtractionLog(Protocol):
    """Figures about the images that were read, for the report."""

    @property
    def backbone(self) -> str: ...

    @property
    def device(self) -> str: ...

    def timings(self) -> Mapping[Step, float]:
        """Return the seconds since the start: in FETCH, waiting for files, and in EMBED."""
        ...

    def remarks(self, backbone: str) -> Sequence[str]:
        """Return sentences about this encoder, and about files that were slow to arrive.

        `backbone` is empty where no features were used.
        """
        ...

    def notes(self) -> Mapping[str, int]:
        """Return how many images were changed when read, by kind: `composited_over_white`."""
        ...


class ImageModels(
    AheadExtractor,
    SizeReader,
    AugmentedExtractor,
    BoxMeasurer,
    Previewer,
    FittedEncoders,
    ExtractionLog,
    Protocol,
):
    """Everything that is computed from images or texts, for the composition root."""


class ReportedExtractor(FeatureExtractor, ExtractionLog, Protocol):
    """A feature extractor whose figures appear in a report."""


class CollectingExtractor(AheadExtractor, ReportedExtractor, Protocol):
    """Extracts the features of all images of a project."""
