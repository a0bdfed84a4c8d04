"""Training sets of made-up images: clusters of feature vectors, one for each label."""

import numpy as np

from backend.domain.answers import Choices, ImageRef
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.ports.model_family import TrainingSet

LABELS = tuple(Label(name) for name in ("cat", "dog", "owl", "fox"))


def control(kind=TaskKind.SINGLE, labels=LABELS):
    return Control(ControlName("animal"), "image", kind, labels)


def image_batch(features, first=0):
    """Pictures of these feature vectors, as tasks `first` and following."""
    refs = tuple(
        ImageRef(TaskId(first + row), f"{first + row}.jpg") for row in range(len(features))
    )
    rows = np.asarray(features, dtype=np.float32)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    image_stats = np.zeros((len(refs), len(IMAGE_STATS)), dtype=np.float32)
    return ImageBatch(refs, rows.astype(np.float16), image_stats)


def clusters(truth, noise=0.35, width=24, seed=0):
    """One feature vector an image: its label's centre and noise; centres do not depend on seed."""
    centres = np.random.default_rng(1234).normal(size=(len(LABELS), width))
    noise = np.random.default_rng(seed).normal(size=(len(truth), width)) * noise * 3
    return centres[np.asarray(truth, dtype=int)] + noise


def fetch(ref):
    raise AssertionError(f"nobody should need the file of task {ref.task}")


def silent(step: str, done: int, of: int, detail: str = "") -> None:
    """Progress that nobody watches."""


def training_set(train, answers, *, held_out=None, unlabeled=None, kind=TaskKind.SINGLE, **more):
    """A training set of feature vectors and answers; `held_out` is a pair like the first two."""
    width = np.asarray(train).shape[1]
    held_features, held_answers = held_out or (np.empty((0, width)), [])
    spare = np.empty((0, width)) if unlabeled is None else unlabeled
    more = {"max_minutes": 1.0, **more}
    settings = {"algorithm": Algorithm.FAST, "fetch": fetch, "progress": silent, "seed": 0}
    return TrainingSet(
        control=more.pop("control", control(kind)),
        train=image_batch(train),
        train_answers=answers,
        held_out=image_batch(held_features, 10_000),
        held_out_answers=held_answers,
        unlabeled=image_batch(spare, 20_000),
        previous=None,
        **{**settings, **more},
    )


def choices(truth):
    """One label an image, from label numbers."""
    return [Choices((LABELS[number],)) for number in truth]


def several(targets):
    """Any number of labels an image, from flags (n, labels)."""
    return [
        Choices(tuple(label for label, yes in zip(LABELS, row, strict=True) if yes))
        for row in targets
    ]
