"""Features of texts, with the methods of `ports.images.ImageModels` that texts have a use for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

from backend.domain.answers import ImageRef, NoPrediction
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.large_arrays import release, zeros
from backend.domain.steps import Step
from backend.models.embedding.encoder import Vectors
from backend.models.embedding.encoders import compute_device
from backend.models.embedding.feature_cache import Entry
from backend.models.images.notes import Note
from backend.models.texts.encoders import OpenedEncoder, TextEncoders
from backend.models.texts.names import TFIDF, checked
from backend.models.texts.reading import TextReader, digest
from backend.models.texts.sentence_encoder import SentenceEncoder
from backend.models.texts.text_encoder import TextEncoder
from backend.ports.images import ImageFiles
from backend.ports.progress import Progress
from backend.settings import Settings
from backend.stores.scratch import local_scratch

_STATS = np.zeros(len(IMAGE_STATS), np.float32)
"""A text has no statistics of an image."""


def open_texts(settings: Settings, files: Callable[[], ImageFiles]) -> "TextExtractor":
    """Return the extractor of texts; loads no model and opens no files yet.

    Raises:
        BadInput: when the settings name no text encoder.
    """

    def published(name: str) -> TextEncoder:
        return SentenceEncoder(name, compute_device(settings.device))

    encoders = TextEncoders(settings.data_dir / "features", published)
    scratch = local_scratch(settings.data_dir)
    return TextExtractor(checked(settings.text_encoder), TextReader(files), encoders, scratch)


class TextExtractor:
    """Embeds texts by any text encoder; safe for several threads."""

    def __init__(
        self,
        backbone: str,
        reader: TextReader,
        encoders: TextEncoders,
        scratch: Path | None = None,
    ) -> None:
        self.backbone = backbone
        self._reader = reader
        self._encoders = encoders
        self._scratch = scratch
        self._seconds = {Step.FETCH: 0.0, Step.EMBED: 0.0}

    def extract(
        self, refs: Sequence[ImageRef], progress: Progress, backbone: str = ""
    ) -> tuple[ImageBatch, Sequence[NoPrediction]]:
        """Return readable texts in the order asked for, and the reason for each of the others.

        `tfidf` fits a new encoder to these very texts, and the batch has its name.

        Raises:
            BadInput: when an encoder embeds no texts, or is a fitted one that was not loaded.
            NoWeights: when a published encoder cannot be opened.
            Stopped: from `progress`.
        """
        name = backbone or self.backbone
        opened: OpenedEncoder | None = None
        kept, lost = list[ImageRef](), list[NoPrediction]()
        features = np.empty((0, 0), np.float16)
        progress(Step.EMBED, 0, len(refs))
        for group in self._reader.groups(refs):
            known = [(ref, one) for ref, one in group if isinstance(one, str)]
            lost += [one for _, one in group if isinstance(one, NoPrediction)]
            if known:
                began = monotonic()
                opened = opened or self._encoders.get(name, partial(self._reader.sample, refs))
                vectors = _embedded(opened, [text for _, text in known])
                if not kept:
                    features = zeros(len(refs), vectors.shape[1], np.float16, self._scratch)
                features[len(kept) : len(kept) + len(known)] = vectors
                release(features)
                kept += [ref for ref, _ in known]
                self._seconds[Step.EMBED] += monotonic() - began
            progress(Step.EMBED, len(kept) + len(lost), len(refs))
        encoder = opened.encoder.name if opened else name
        stats = np.tile(_STATS, (len(kept), 1))
        return ImageBatch(tuple(kept), features[: len(kept)], stats, encoder), lost

    def uncached(self, refs: Sequence[ImageRef], backbone: str) -> int:
        """Count the texts that this encoder has not embedded; 0 for one that needs no cache."""
        if backbone.startswith(TFIDF):
            return 0
        cache = self._encoders.get(backbone, list).cache
        found = [one for group in self._reader.groups(refs) for _, one in group]
        digests = [digest(one) for one in found if isinstance(one, str)]
        return len(refs) - (cache.count(digests) if cache is not None else 0)

    def fetch(self, ref: ImageRef) -> Path:
        """Return the file of a text that is fetched. Raises UnreadableImage."""
        return self._reader.path(ref)

    def save_encoder(self, backbone: str, folder: Path) -> None:
        self._encoders.save(backbone, folder)

    def load_encoder(self, backbone: str, folder: Path) -> None:
        self._encoders.load(backbone, folder)

    def timings(self) -> Mapping[Step, float]:
        return dict(self._seconds)


def _embedded(opened: OpenedEncoder, texts: Sequence[str]) -> Vectors:
    """Embed texts, each different one once, by way of the cache if there is one."""
    cache = opened.cache
    if cache is None:
        return opened.encoder.embed(texts)
    digests = [digest(text) for text in texts]
    by_digest = dict(zip(digests, texts, strict=True))
    known = {key: entry.vector for key, entry in cache.get(list(by_digest))}
    missing = [key for key in by_digest if key not in known]
    if missing:
        fresh = opened.encoder.embed([by_digest[key] for key in missing])
        known |= dict(zip(missing, fresh, strict=True))
        cache.put({key: Entry(known[key], _STATS, Note(0)) for key in missing})
    return np.stack([known[key] for key in digests])
