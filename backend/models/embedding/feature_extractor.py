"""Features and statistics of images by one encoder, cached by content."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.arrays import Floats
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.large_arrays import release, zeros
from backend.domain.steps import Step
from backend.models.embedding.augmentations import AugmentedFiles, AugmentingEncoder
from backend.models.embedding.backbones import Backbone
from backend.models.embedding.backlog import Outcome
from backend.models.embedding.encoder import Encoder
from backend.models.embedding.encoders import compute_device, cpu_threads, open_encoder
from backend.models.embedding.feature_cache import Entry, FeatureCache
from backend.models.embedding.found_ahead import FoundAhead
from backend.models.embedding.lookup import CachedRows, look_up
from backend.models.embedding.pipeline import EmbeddingTools, embed
from backend.models.images.notes import Note
from backend.models.images.thumbnails import PREPARATION
from backend.ports.images import ImageFiles
from backend.ports.progress import Progress
from backend.settings import Settings
from backend.stores.scratch import local_scratch

_ROWS = 4096
"""Rows moved at a time to close the gaps that unreadable images leave."""


def open_cached(settings: Settings, files: ImageFiles, chosen: Backbone) -> "CachingExtractor":
    """Return the extractor of one encoder, with the cache of that one; loads no model yet.

    Raises:
        NoWeights: when the weights file that the settings name does not exist.
    """
    name = f"{chosen.slug}-{PREPARATION}.sqlite"
    cache = FeatureCache(settings.data_dir / "features" / name)
    return CachingExtractor(settings, files, chosen, cache)


class CachingExtractor:
    """Embeds images with one backbone; every method may be called from several threads."""

    def __init__(
        self, settings: Settings, files: ImageFiles, chosen: Backbone, cache: FeatureCache
    ) -> None:
        self._settings = settings
        self._files = files
        self._backbone = chosen
        self._cache = cache
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None
        self._ahead = FoundAhead()
        self._seconds = _no_seconds()
        self._notes: dict[int, int] = {}

    @property
    def backbone(self) -> str:
        return self._backbone.name

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return readable images in the order asked for, and the reason for each of the others.

        Raises:
            Stopped: from `progress`; no thread is left behind.
            NoWeights: when something must be embedded and the backbone's weights are missing.
            OutOfSpace: when there is no room for images or features.
        """
        batch = self._builder(len(refs))
        for found in self._ahead.take(refs):
            batch.add_cached(found)
            progress(Step.EMBED, batch.filled, len(refs))
        self._embed(refs, self._files, self.encoder, progress, batch)
        self._notes |= {hash(refs[row]): notes for row, notes in batch.notes.items()}
        return self._batch(batch, refs, 0), batch.unreadable()

    def look_ahead(self, refs: Sequence[ImageRef], progress: Progress) -> None:
        """Keep the cached features of these images until `extract` asks for them.

        Its seconds do not count, because no job waits for it.

        Raises:
            Stopped: from `progress`.
            OutOfSpace: when there is no room for the caches.
        """
        some = refs[: self._ahead.room]
        for found in look_up(some, self._files, self._cache, _no_seconds()):
            self._ahead.keep(some, found)
            progress(Step.EMBED, 0, len(refs))

    def forget_ahead(self) -> None:
        self._ahead.forget()

    def uncached(self, refs: Sequence[ImageRef]) -> int:
        """Count the images that are not in the cache, or cannot be fetched."""
        digests = self._files.known(refs)
        rest = [ref for ref, digest in zip(refs, digests, strict=True) if digest is None]
        fetched = [
            found[1] for found in self._files.digests(rest) if not isinstance(found, NoPrediction)
        ]
        known = [digest for digest in digests if digest is not None]
        return len(refs) - self._cache.count([*known, *fetched])

    def extract_augmented(
        self, refs: Sequence[ImageRef], augmentation: int, progress: Progress
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """As `extract`, of augmented copies; the cache keeps them beside the originals.

        Raises:
            Stopped, NoWeights, OutOfSpace: as `extract` does.
        """
        batch = self._builder(len(refs))
        files = AugmentedFiles(self._files, augmentation)
        self._embed(
            refs, files, lambda: AugmentingEncoder(self.encoder(), augmentation), progress, batch
        )
        return self._batch(batch, refs, augmentation), batch.unreadable()

    def _builder(self, rows: int) -> "_BatchBuilder":
        return _BatchBuilder(rows, local_scratch(self._settings.data_dir))

    def _batch(
        self, batch: "_BatchBuilder", refs: Sequence[ImageRef], augmentation: int
    ) -> ImageBatch:
        images = batch.images(refs, self._cache.width() or 0)
        return replace(images, backbone=self.backbone, augmentation=augmentation)

    def _embed(
        self,
        refs: Sequence[ImageRef],
        files: ImageFiles,
        encoder: Callable[[], Encoder],
        progress: Progress,
        batch: "_BatchBuilder",
    ) -> None:
        settings = self._settings
        tools = EmbeddingTools(
            files, self._cache, encoder, cpu_threads(settings), settings.max_image_megapixels
        )
        seconds = _no_seconds()
        try:
            rows = batch.missing()
            for found in look_up([refs[row] for row in rows], files, self._cache, seconds):
                batch.add_cached(found.among(rows))
                progress(Step.EMBED, batch.filled, len(refs))
            rows = batch.missing()
            with closing(embed([refs[row] for row in rows], tools, seconds)) as outcomes:
                for group in outcomes:
                    batch.add((rows[place], outcome) for place, outcome in group)
                    progress(Step.EMBED, batch.filled, len(refs))
        finally:
            for step, spent in seconds.items():
                self._seconds[step] += spent

    def timings(self) -> Mapping[Step, float]:
        return dict(self._seconds)

    def notes(self) -> Mapping[str, int]:
        """Count each image once, however often it was asked for."""
        found = Counter[int](self._notes.copy().values())
        counts = Counter[str]()
        for notes, images in found.items():
            counts.update({note.name.lower(): images for note in Note(notes) if note.name})
        return dict(counts)

    def encoder(self) -> Encoder:
        """Return the encoder, loaded by the first call. Raises NoWeights."""
        with self._loading:
            if self._encoder is None:
                device = compute_device(self._settings.device)
                self._encoder = open_encoder(self._backbone, device, self._settings)
            return self._encoder


def _no_seconds() -> dict[Step, float]:
    return {Step.FETCH: 0.0, Step.EMBED: 0.0}


class _BatchBuilder:
    """An `ImageBatch` whose rows are filled in any order; many lie in a file in `folder`."""

    def __init__(self, rows: int, folder: Path | None) -> None:
        self.notes: dict[int, int] = {}
        self._rows = rows
        self._folder = folder
        self._features: Floats | None = None
        self._image_stats = np.zeros((rows, len(IMAGE_STATS)), np.float32)
        self._is_filled = np.zeros(rows, np.bool_)
        self._unreadable: dict[int, NoPrediction] = {}

    @property
    def filled(self) -> int:
        return int(np.count_nonzero(self._is_filled))

    def missing(self) -> Sequence[int]:
        """Return the rows that are not filled yet."""
        return np.flatnonzero(~self._is_filled).tolist()

    def add(self, outcomes: Iterable[Outcome]) -> None:
        for row, outcome in outcomes:
            if isinstance(outcome, Entry):
                self._fill(row, outcome.vector, outcome.image_stats)
                self._add_notes(row, outcome.notes)
            else:
                self._unreadable[row] = outcome
                self._is_filled[row] = True

    def add_cached(self, found: CachedRows) -> None:
        if found.rows:
            entries, places = found.entries, found.places
            self._fill(found.rows, entries.vectors[places], entries.image_stats[places])
            for row, place in zip(found.rows, places, strict=True):
                self._add_notes(row, entries.notes[place])

    def _fill(
        self,
        rows: int | Sequence[int],
        vectors: NDArray[np.float16],
        image_stats: NDArray[np.float32],
    ) -> None:
        if self._features is None:
            self._features = zeros(self._rows, vectors.shape[-1], np.float16, self._folder)
        self._features[rows] = vectors
        release(self._features)
        self._image_stats[rows] = image_stats
        self._is_filled[rows] = True

    def _add_notes(self, row: int, notes: int) -> None:
        if notes:  # few images have any
            self.notes[row] = notes

    def unreadable(self) -> Sequence[NoPrediction]:
        return [slot for _, slot in sorted(self._unreadable.items())]

    def images(self, refs: Sequence[ImageRef], width: int) -> ImageBatch:
        """Return the readable rows; closes gaps in place, so features are never held twice."""
        features = self._features
        if features is None:
            features = np.zeros((self._rows, width), np.float16)
        if not self._unreadable:
            return ImageBatch(tuple(refs), features, self._image_stats)
        kept = [row for row in range(self._rows) if row not in self._unreadable]
        for start in range(0, len(kept), _ROWS):
            rows = kept[start : start + _ROWS]
            features[start : start + len(rows)] = features[rows]
            release(features)
        readable = tuple(refs[row] for row in kept)
        return ImageBatch(readable, features[: len(kept)], self._image_stats[kept])
