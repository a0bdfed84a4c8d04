"""Files of predictions: arrays and answers of one model for some images, in NumPy's .npz."""

import hashlib
import io
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from backend.domain.answers import Answer, ImageRef
from backend.domain.batches import PredictionBatch
from backend.domain.errors import BadInput
from backend.stores.atomic_files import write_whole
from backend.stores.validation import parse_json

log = logging.getLogger(__name__)

_ANSWERS = TypeAdapter(tuple[Answer, ...])
_DIGEST = 16
"""Bytes that stand for a task and its images."""


def write_batch(path: Path, refs: Sequence[ImageRef], batch: PredictionBatch) -> None:
    """Write a file that is complete or absent. Raises OutOfSpace."""
    digests = b"".join(digest_of(ref) for ref in refs)
    file = io.BytesIO()
    np.savez(
        file,
        images=np.frombuffer(digests, np.uint8).reshape(-1, _DIGEST),
        answers=np.frombuffer(_ANSWERS.dump_json(batch.answers), np.uint8),
        confidence=batch.confidence,
        probabilities=batch.probabilities,
    )
    write_whole(path, file.getvalue())


def read_batch(path: Path) -> tuple[list[bytes], PredictionBatch] | None:
    """Return the digest of each image, and the predictions; None if the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            images: list[bytes] = [row.tobytes() for row in file["images"]]
            answers = parse_json(_ANSWERS, file["answers"].tobytes(), "answers")
            batch = PredictionBatch(answers, file["confidence"], file["probabilities"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, BadInput) as exc:
        log.warning("the predictions in %s are computed again: %s", path, exc)
        return None
    return images, batch


def digest_of(ref: ImageRef) -> bytes:
    """Return a digest of a task and the addresses of its images."""
    parts = "\n".join((str(ref.task), ref.uri, *ref.others))
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
