"""Published sentence encoders, by the optional package `sentence-transformers`."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

from backend.domain.errors import NoWeights
from backend.models.embedding.encoder import Vectors
from backend.models.published_weights import hub_folder, hub_host, is_reachable
from backend.models.texts.names import SENTENCES

PACKAGE = "sentence-transformers"
INSTALL = "pip install 'label-studio-autolabel[text]', or set AUTOLABEL_TEXT_ENCODER=tfidf"

AT_ONCE = 32
"""Texts in a call of the network."""


class SentenceEncoder:
    """A network that was trained to embed sentences; opened at its first use."""

    def __init__(self, name: str, device: str) -> None:
        self.name = name
        self._device = device

    @property
    def width(self) -> int:
        network = self._network
        ask = getattr(network, "get_embedding_dimension", None)  # None in older releases
        return int((ask or network.get_sentence_embedding_dimension)())

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.width), np.float16)
        vectors = self._network.encode(
            list(texts), batch_size=AT_ONCE, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float16)

    @cached_property
    def _network(self) -> Any:
        """The network, from safetensors only: a pickle could run any code. Raises NoWeights."""
        require_package(self.name)
        import sentence_transformers  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra that imports torch

        try:
            return cast(Any, sentence_transformers).SentenceTransformer(
                _source(self.name), device=self._device, model_kwargs={"use_safetensors": True}
            )
        except Exception as exc:
            raise NoWeights(f"{self.name} cannot be opened ({exc})", _hint()) from exc


def check(name: str) -> None:
    """Check that an encoder can be opened; takes at most 2 s and downloads nothing.

    Raises:
        NoWeights: when the package is not installed, or the weights are neither on this machine nor
            can they be downloaded.
    """
    require_package(name)
    if Path(_source(name)).is_dir() or _cached(name) or is_reachable(hub_host()):
        return
    raise NoWeights(f"{name} is not on this machine, and {hub_host()} does not answer", _hint())


def require_package(name: str) -> None:
    """Raise NoWeights when the package is not installed."""
    if find_spec(PACKAGE.replace("-", "_")) is None:
        raise NoWeights(f"{name} needs the package {PACKAGE}, which is not installed", INSTALL)


def slug(name: str) -> str:
    """Return a name for the cache of an encoder; another version of the package is another one."""
    require_package(name)
    files = sorted(path for path in Path(_source(name)).rglob("*") if path.is_file())
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    identity = f"{name} {metadata.version(PACKAGE)} {states}"
    readable = "".join(one if one.isalnum() else "-" for one in Path(_source(name)).name.lower())
    return f"text-{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _source(name: str) -> str:
    return name.removeprefix(SENTENCES)


def _cached(name: str) -> bool:
    folder = f"models--*{_source(name).replace('/', '--')}"
    return any(hub_folder().glob(f"{folder}/snapshots/*/config.json"))


def _hint() -> str:
    return (
        f"Give a folder as {SENTENCES}/path/to/model, or copy {hub_folder()} from a machine that "
        "has downloaded it; or set AUTOLABEL_TEXT_ENCODER=tfidf"
    )
