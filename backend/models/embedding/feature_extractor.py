"""Images as the models see them; implements `ports.FeatureExtractor`."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.geometry import Box
from backend.domain.steps import Step
from backend.models.embedding.augmentations import AugmentedFiles, AugmentingEncoder, augmented_file
from backend.models.embedding.backbones import Backbone, backbone
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.encoders import compute_device, cpu_threads, open_encoder
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.embedding.pipeline import Embedding, Workshop
from backend.models.images.box_statistics import brightness_and_sharpness
from backend.ports.images import ImageFiles
from backend.ports.progress import Progress
from backend.settings import Settings

_ROWS = 4096
"""Rows moved at a time where unreadable images leave gaps."""


def open_extractor(settings: Settings, files: ImageFiles) -> "CachingExtractor":
    """The gallery that the settings ask for; loads nothing yet.

    Raises:
        BadInput: when the settings name no known backbone.
        NoWeights: when the weights file that they name is not there.
    """
    chosen = backbone(settings)
    cache = FeatureCache(settings.data_dir / "features" / f"{chosen.slug}.sqlite")
    return CachingExtractor(settings, files, chosen, cache)


class CachingExtractor:
    """Looks at images through one backbone; `look` may be called from several threads."""

    def __init__(
        self, settings: Settings, files: ImageFiles, chosen: Backbone, cache: FeatureCache
    ) -> None:
        self._settings = settings
        self._files = files
        self._backbone = chosen
        self._cache = cache
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None
        self._seconds = {Step.FETCH: 0.0, Step.EMBED: 0.0}
        self._notes = Counter[str]()

    @property
    def backbone(self) -> str:
        return self._backbone.name

    @property
    def device(self) -> str:
        return compute_device(self._settings.device)

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Readable images in the order asked for, and the others with why not.

        Raises:
            Stopped: from `progress`; no thread stays behind.
            NoWeights: when something must be embedded and the backbone's weights are not there.
            OutOfSpace: when there is no room for the features.
        """
        sheet = _Sheet(len(refs), self._notes)
        self._embed(refs, self._workshop(self._files, self.encoder), progress, sheet)
        return sheet.images(refs, self._cache.width() or 0), sheet.unreadable(refs)

    def extract_augmented(
        self, refs: Sequence[ImageRef], augmentation: int, progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """The same of altered copies, each kept in the cache beside its original.

        Raises:
            Stopped, NoWeights, OutOfSpace: as `look` does.
        """
        sheet = _Sheet(len(refs), Counter())
        workshop = self._workshop(
            AugmentedFiles(self._files, augmentation),
            lambda: AugmentingEncoder(self.encoder(), augmentation),
        )
        self._embed(refs, workshop, progress, sheet)
        return sheet.images(refs, self._cache.width() or 0), sheet.unreadable(refs)

    def _workshop(self, files: ImageFiles, encoder: Callable[[], Encoder]) -> Workshop:
        settings = self._settings
        return Workshop(
            files, self._cache, encoder, cpu_threads(settings), settings.max_image_megapixels
        )

    def _embed(
        self, refs: Sequence[ImageRef], workshop: Workshop, progress: Progress, sheet: "_Sheet"
    ) -> None:
        embedding = Embedding(refs, workshop, progress, sheet.known, sheet.failed)
        try:
            embedding.run()
        finally:
            for name, seconds in embedding.seconds.items():
                self._seconds[name] += seconds

    def fetch(self, ref: ImageRef) -> Path:
        return self._files.path(ref)

    def fetch_augmented(self, ref: ImageRef, augmentation: int, folder: Path) -> Path:
        return augmented_file(self._files.path(ref), augmentation, folder / f"{ref.task}.png")

    def box_statistics(self, ref: ImageRef, boxes: Sequence[Box]) -> tuple[float, float]:
        return brightness_and_sharpness(self._files.path(ref), boxes)

    def timings(self) -> Mapping[Step, float]:
        return dict(self._seconds)

    def notes(self) -> Mapping[str, int]:
        return dict(self._notes)

    def encoder(self) -> Encoder:
        """The backbone in memory, loaded by the first that asks. Raises NoWeights."""
        with self._loading:
            if self._encoder is None:
                self._encoder = open_encoder(self._backbone, self.device, self._settings)
            return self._encoder


class _Sheet:
    """The answer while it fills, row by row in any order."""

    def __init__(self, rows: int, notes: Counter[str]) -> None:
        self._rows = rows
        self._notes = notes
        self._features: np.ndarray[tuple[int, int], np.dtype[np.float16]] | None = None
        self._image_stats = np.zeros((rows, len(IMAGE_STATS)), np.float32)
        self._reason: dict[int, str] = {}

    def known(self, row: int, entry: Entry) -> None:
        if self._features is None:
            self._features = np.zeros((self._rows, len(entry.vector)), np.float16)
        self._features[row] = entry.vector
        self._image_stats[row] = entry.image_stats
        self._notes.update(note.name.lower() for note in entry.notes if note.name)

    def failed(self, row: int, reason: str) -> None:
        self._reason[row] = reason

    def unreadable(self, refs: Sequence[ImageRef]) -> Sequence[NoPrediction]:
        return [NoPrediction(refs[row].task, why) for row, why in sorted(self._reason.items())]

    def images(self, refs: Sequence[ImageRef], width: int) -> ImageBatch:
        """Gaps are closed in place: a large answer is never held twice."""
        features = self._features
        if features is None:
            features = np.zeros((self._rows, width), np.float16)
        if not self._reason:
            return ImageBatch(tuple(refs), features, self._image_stats)
        kept = [row for row in range(self._rows) if row not in self._reason]
        for start in range(0, len(kept), _ROWS):
            rows = kept[start : start + _ROWS]
            features[start : start + len(rows)] = features[rows]
        readable = tuple(refs[row] for row in kept)
        return ImageBatch(readable, features[: len(kept)], self._image_stats[kept])
