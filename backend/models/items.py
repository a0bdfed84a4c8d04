"""What is computed from images and from texts, as one; implements `ports.images.ImageModels`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import ImageBatch
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import Box
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.domain.steps import Step
from backend.models.texts.extractor import TextExtractor
from backend.models.texts.names import is_text_encoder
from backend.ports.images import ImageModels
from backend.ports.progress import Progress


@dataclass(frozen=True, slots=True)
class ItemModels:
    """Passes each call on by what a task shows, or by the encoder that is named."""

    images: ImageModels
    texts: TextExtractor

    @property
    def backbone(self) -> str:
        """The default encoder of images."""
        return self.images.backbone

    @property
    def device(self) -> str:
        return self.images.device

    def choose(
        self, kinds: Collection[TaskKind], algorithm: Algorithm, items: ItemKind = ItemKind.IMAGE
    ) -> str:
        """Return the encoder to train on; for texts it is the same for all algorithms."""
        return self.texts.backbone if items.is_text else self.images.choose(kinds, algorithm)

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return readable items in the order asked for, and the reason for each of the others.

        Raises:
            BadInput: when the encoder embeds no such items.
            NoWeights: when the encoder cannot be opened.
            Stopped: from `progress`.
            OutOfSpace: when there is no room for files or features.
        """
        return self._of(refs, backbone).extract(refs, progress, backbone)

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        return self._named(backbone).uncached(refs, backbone)

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress, backbone: str) -> None:
        """Look up images; of texts nothing is kept."""
        if not is_text_encoder(backbone):
            self.images.look_ahead(refs, progress, backbone)

    def forget_ahead(self) -> None:
        self.images.forget_ahead()

    def augments(self, items: ItemKind) -> bool:
        """Return whether items have altered copies; of a text, none is known to mean the same."""
        return not items.is_text

    def extract_augmented(
        self, refs: Sequence[ImageRef], augmentation: int, progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        return self.images.extract_augmented(refs, augmentation, progress, backbone)

    def without_features(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return images only: no model of texts does without features."""
        return self.images.without_features(refs, progress)

    def fetch(self, ref: ImageRef) -> Path:
        return self._about(ref.kind).fetch(ref)

    def fetch_augmented(self, ref: ImageRef, augmentation: int, folder: Path) -> Path:
        return self._with_pixels(ref).fetch_augmented(ref, augmentation, folder)

    def box_statistics(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        return self._with_pixels(ref).box_statistics(ref, boxes)

    def write_preview(self, ref: ImageRef, target: Path) -> None:
        self._with_pixels(ref).write_preview(ref, target)

    def save_encoder(self, backbone: str, folder: Path) -> None:
        self.texts.save_encoder(backbone, folder)

    def load_encoder(self, backbone: str, folder: Path) -> None:
        self.texts.load_encoder(backbone, folder)

    def timings(self) -> Mapping[Step, float]:
        spent, more = self.images.timings(), self.texts.timings()
        return {step: spent[step] + more[step] for step in spent}

    def remarks(self, backbone: str) -> Sequence[str]:
        return () if is_text_encoder(backbone) else self.images.remarks(backbone)

    def notes(self) -> Mapping[str, int]:
        return self.images.notes()

    def _with_pixels(self, ref: ImageRef) -> ImageModels:
        """Return what works on images. Raises UnreadableImage for a text."""
        if ref.kind.is_text:
            raise UnreadableImage("it is a text and has no pixels")
        return self.images

    def _of(self, refs: Sequence[ImageRef], backbone: str) -> "ImageModels | TextExtractor":
        return self._about(refs[0].kind) if refs else self._named(backbone)

    def _about(self, items: ItemKind) -> "ImageModels | TextExtractor":
        return self.texts if items.is_text else self.images

    def _named(self, backbone: str) -> "ImageModels | TextExtractor":
        return self.texts if is_text_encoder(backbone) else self.images
