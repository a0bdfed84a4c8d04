"""The default text encoder: TF-IDF of words and characters, reduced by a truncated SVD.

Known as latent semantic analysis (Deerwester et al., 1990). It is fitted to the texts of a project,
labeled or not, in any language: characters stand in for words where a script has no spaces. Equal
sets of texts give equal encoders on one machine. scikit-learn fits it; embedding does without, so
that the web process starts in no time and a version depends on no release of scikit-learn.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import numpy as tensors
from scipy import sparse
from threadpoolctl import threadpool_limits

from backend.domain.arrays import Floats
from backend.domain.errors import BadInput
from backend.models.embedding.encoder import Vectors
from backend.models.texts.names import fitted_name

WIDTH = 256
"""Dimensions that the SVD keeps at most."""

MOST_TERMS = 20_000
"""The size of each of the two vocabularies at most; the most frequent terms are kept."""

AT_ONCE = 500
"""Texts embedded at a time, so that their counts take little memory."""

TENSORS, VOCABULARY = "text_encoder.safetensors", "text_encoder.json"
"""The files of an encoder."""

_WORD = re.compile(r"\w+")
_LENGTHS = (2, 3, 4)


def words(text: str) -> Iterator[str]:
    """Yield the words of a text, and each two of them in a row."""
    found = _WORD.findall(text.lower())
    yield from found
    yield from (f"{one} {two}" for one, two in pairwise(found))


def characters(text: str) -> Iterator[str]:
    """Yield all runs of 2 to 4 characters within words, whose ends count as spaces."""
    for word in text.lower().split():
        bounded = f" {word} "
        for length in _LENGTHS:
            for start in range(len(bounded) - length + 1):
                yield bounded[start : start + length]


ANALYSES: Mapping[str, Callable[[str], Iterator[str]]] = {"words": words, "characters": characters}
"""What turns a text into terms; the vocabularies are in this order."""


@dataclass(frozen=True)
class TfidfEncoder:
    """A fitted encoder.

    Attributes:
        terms: the vocabulary of each analysis; the first one may be empty.
        idf: (v,) float32, the inverse document frequencies of all terms.
        components: (d, v) float16, the right singular vectors.
    """

    terms: tuple[tuple[str, ...], ...]
    idf: NDArray[np.float32]
    components: NDArray[np.float16]

    @property
    def name(self) -> str:
        return self._name

    @property
    def width(self) -> int:
        return len(self.components)

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self.width), np.float16)
        for start in range(0, len(texts), AT_ONCE):
            some = texts[start : start + AT_ONCE]
            vectors[start : start + len(some)] = _unit(self.weights(some) @ self._projection)
        return vectors

    def weights(self, texts: Sequence[str]) -> Any:
        """Return the TF-IDF of texts, (n, v) sparse: 1 + log(count), times the idf, by analysis.

        The weights of each analysis have the same length, and those of both have length 1.
        """
        values, columns, ends = list[NDArray[np.float32]](), list[NDArray[np.intp]](), [0]
        for text in texts:
            parts = [self._of_analysis(place, text) for place in self._analyses]
            values += [weights for _, weights in parts]
            columns += [found for found, _ in parts]
            ends.append(ends[-1] + sum(len(found) for found, _ in parts))
        shape = (len(texts), len(self.idf))
        content = (np.concatenate(values), np.concatenate(columns), ends)
        return cast(Any, sparse).csr_matrix(content, shape=shape)

    def save(self, folder: Path) -> None:
        """Write `text_encoder.safetensors` and `text_encoder.json`."""
        arrays = {"idf": self.idf, "components": np.ascontiguousarray(self.components)}
        cast(Any, tensors).save_file(arrays, folder / TENSORS)
        content = {"name": self.name, **dict(zip(ANALYSES, self.terms, strict=True))}
        (folder / VOCABULARY).write_text(json.dumps(content))

    @classmethod
    def load(cls, folder: Path) -> "TfidfEncoder":
        """Load a saved encoder. Raises BadInput when it is missing or damaged."""
        try:
            arrays = cast(Any, tensors).load_file(folder / TENSORS)
            content = json.loads((folder / VOCABULARY).read_text())
            terms = tuple(tuple(content[analysis]) for analysis in ANALYSES)
            encoder = cls(terms, arrays["idf"], arrays["components"])
            is_whole = encoder.name == content["name"]
        except Exception as exc:
            raise _damaged(folder) from exc
        if not is_whole:
            raise _damaged(folder)
        return encoder

    @cached_property
    def _name(self) -> str:
        digest = hashlib.blake2b(json.dumps(self.terms).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(self.idf).tobytes())
        digest.update(np.ascontiguousarray(self.components).tobytes())
        return fitted_name(digest.hexdigest())

    @cached_property
    def _projection(self) -> Floats:
        """(v, d) float32, ready for a product."""
        return np.ascontiguousarray(self.components.T, np.float32)

    @cached_property
    def _analyses(self) -> Sequence[int]:
        """Places of the analyses that found terms."""
        return [place for place, terms in enumerate(self.terms) if terms]

    @cached_property
    def _columns(self) -> Sequence[Mapping[str, int]]:
        """The column of each term, by analysis."""
        starts = np.cumsum([0, *map(len, self.terms)]).tolist()
        return [
            {term: column for column, term in enumerate(terms, start)}
            for terms, start in zip(self.terms, starts, strict=False)
        ]

    def _of_analysis(self, place: int, text: str) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the columns of the known terms of a text, and their weights."""
        column_of = self._columns[place]
        terms = list(ANALYSES.values())[place](text)
        counts = Counter(column_of[term] for term in terms if term in column_of)
        columns = np.fromiter(counts, np.intp, len(counts))
        often = np.fromiter(counts.values(), np.float32, len(counts))
        weights = (1 + np.log(often)) * self.idf[columns]
        length = np.linalg.norm(weights) * len(self._analyses) ** 0.5
        return columns, (weights / max(float(length), 1e-9)).astype(np.float32)


def fit(texts: Sequence[str]) -> TfidfEncoder:
    """Fit an encoder to different texts, in an order that depends on nothing but them.

    Raises:
        BadInput: when no text has a letter, a digit or another sign.
    """
    fitted = [_vocabulary(analyse, texts) for analyse in ANALYSES.values()]
    terms, idf = tuple(one for one, _ in fitted), np.concatenate([one for _, one in fitted])
    if not len(idf):
        raise BadInput("the texts have no words to learn from", "Import texts with words in them")
    nothing = np.empty((0, len(idf)), np.float16)
    weights = TfidfEncoder(terms, idf, nothing).weights(texts)
    with threadpool_limits(1):  # the order of sums must not depend on the number of threads
        components = _components(weights)
    return TfidfEncoder(terms, idf, components.astype(np.float16))


def _vocabulary(
    analyse: Callable[[str], Iterator[str]], texts: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the terms to keep and their inverse document frequencies; both may be empty."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - takes seconds

    vectorizer = cast(Any, TfidfVectorizer)(analyzer=analyse, max_features=MOST_TERMS)
    try:
        vectorizer.fit(texts)
    except ValueError:  # "empty vocabulary": no text has such terms
        return (), np.empty(0, np.float32)
    return tuple(map(str, vectorizer.get_feature_names_out())), vectorizer.idf_.astype(np.float32)


def _components(weights: Any) -> Floats:
    """Return the right singular vectors, (d, v), of weights (n, v)."""
    from sklearn.utils import extmath  # noqa: PLC0415 - takes seconds

    width = min(WIDTH, *weights.shape)
    return cast(Any, extmath).randomized_svd(weights, width, random_state=0)[2]


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-6)


def _damaged(folder: Path) -> BadInput:
    return BadInput(
        f"the text encoder in {folder} is missing or damaged", "Train a new version, or restore it"
    )
