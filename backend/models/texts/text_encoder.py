"""The interface of a text encoder: texts in, vectors out."""

from collections.abc import Sequence
from typing import Protocol

from backend.models.embedding.encoder import Vectors


class TextEncoder(Protocol):
    """An encoder in memory."""

    @property
    def name(self) -> str:
        """What a model version's card calls it; encoders of one name give equal vectors."""
        ...

    @property
    def width(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (n, width); each row of length 1, or 0 for a text of unknown words only."""
        ...
