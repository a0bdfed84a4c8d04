"""Whether a text encoder can be opened; imports neither SciPy nor torch."""

from backend.models.texts import sentence_encoder
from backend.models.texts.names import TFIDF, checked


def check(name: str) -> None:
    """Check that an encoder can be opened; takes at most 2 s and downloads nothing.

    Raises:
        BadInput: when no text encoder has that name.
        NoWeights: when it cannot be opened.
    """
    if checked(name) != TFIDF:
        sentence_encoder.check(name)
