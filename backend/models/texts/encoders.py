"""The text encoders of a process, each opened once; fitted ones come from a version's folder."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import BadInput
from backend.models.embedding.feature_cache import FeatureCache
from backend.models.texts import sentence_encoder, tfidf
from backend.models.texts.names import TFIDF, is_fitted, is_text_encoder
from backend.models.texts.text_encoder import TextEncoder
from backend.models.texts.tfidf import TfidfEncoder

MOST_IN_MEMORY = 4
"""Fitted encoders kept in memory, about 70 MB each; others are read again from their versions."""

TRAIN_ANEW = "Train a new version in an active-learning job"


@dataclass(frozen=True, slots=True)
class OpenedEncoder:
    """An encoder, and the cache of its vectors where these cost more to compute than to read."""

    encoder: TextEncoder
    cache: FeatureCache | None = None


class TextEncoders:
    """Encoders by name; safe for several threads.

    A fitted encoder is named by what it learned, so the features of two of them never mix. They
    are computed as fast as they could be read, so no file keeps them.

    Args:
        features: folder of the feature caches.
        open_published: opens a published encoder by its name.
    """

    def __init__(self, features: Path, open_published: Callable[[str], TextEncoder]) -> None:
        self._features = features
        self._open_published = open_published
        self._opened: dict[str, OpenedEncoder] = {}
        self._folders: dict[str, Path] = {}
        self._opening = threading.Lock()

    def get(self, name: str, sample: Callable[[], Sequence[str]]) -> OpenedEncoder:
        """Return an encoder; `tfidf` is a new one, fitted to a sample.

        Raises:
            BadInput: when it embeds no texts, or is fitted and was not loaded before.
            NoWeights: when it is published and cannot be opened.
        """
        if not is_text_encoder(name):
            raise BadInput(f"{name} embeds images, and this project has texts", TRAIN_ANEW)
        if name == TFIDF:
            return self._keep(tfidf.fit(sample()))
        with self._opening:
            opened = self._opened.pop(name, None) or self._found(name)
            self._opened[name] = opened  # the last one is the one used last
            self._forget_unused()
            return opened

    def save(self, name: str, folder: Path) -> None:
        """Write a fitted encoder into the folder of a model; others need not be written."""
        encoder = self.get(name, list).encoder if is_fitted(name) else None
        if isinstance(encoder, TfidfEncoder):
            encoder.save(folder)

    def load(self, name: str, folder: Path) -> None:
        """Read a fitted encoder that `save` has written, unless it is in memory.

        Raises:
            BadInput: when its files are missing or damaged.
        """
        if not is_fitted(name):
            return
        if name not in self._opened:
            self._keep(TfidfEncoder.load(folder))
        self._folders[name] = folder

    def _keep(self, encoder: TextEncoder) -> OpenedEncoder:
        with self._opening:
            opened = self._opened.setdefault(encoder.name, OpenedEncoder(encoder))
            self._forget_unused()
            return opened

    def _forget_unused(self) -> None:
        """Drop encoders that can be read again, those used longest ago first."""
        again = [name for name in self._opened if name in self._folders]
        for name in again[: max(0, len(again) - MOST_IN_MEMORY)]:
            del self._opened[name]

    def _found(self, name: str) -> OpenedEncoder:
        if name in self._folders:
            return OpenedEncoder(TfidfEncoder.load(self._folders[name]))
        if is_fitted(name):
            raise BadInput(f"the text encoder {name} is not on this machine", TRAIN_ANEW)
        cache = FeatureCache(self._features / f"{sentence_encoder.slug(name)}.sqlite")
        return OpenedEncoder(self._open_published(name), cache)
