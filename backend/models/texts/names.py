"""Names of text encoders; those of images never look like them."""

from backend.domain.errors import BadInput

TFIDF = "tfidf"
"""The default encoder, which is fitted to the texts of a project."""

SENTENCES = "sentence-transformers:"
"""Before the name or folder of a published sentence encoder."""

_FITTED = f"{TFIDF}:"


def fitted_name(digest: str) -> str:
    """Return the name of an encoder fitted to some texts, by a digest of what it learned."""
    return f"{_FITTED}{digest}"


def is_fitted(name: str) -> bool:
    """Whether an encoder was fitted to the texts of a project, and is stored with the version."""
    return name.startswith(_FITTED)


def is_text_encoder(name: str) -> bool:
    """Whether an encoder embeds texts."""
    return name == TFIDF or name.startswith((_FITTED, SENTENCES))


def checked(name: str) -> str:
    """Return the text encoder of the settings. Raises BadInput for any other name."""
    if name == TFIDF or (name.startswith(SENTENCES) and name != SENTENCES):
        return name
    raise BadInput(
        f"AUTOLABEL_TEXT_ENCODER: no text encoder is called {name!r}",
        f"Use {TFIDF}, or {SENTENCES}NAME with a published name or a folder",
    )
