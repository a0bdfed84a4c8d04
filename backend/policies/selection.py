"""Which images a person should label next.

One rule for all budgets: uncertainty herding. Boxes differ, since pure coverage loses to chance
there: the most uncertain images, spread over what they show (after PPAL, Yang et al., CVPR 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import TaskId
from backend.domain.schema import TaskKind
from backend.policies.herding import REACH, REACH_BLIND, Pool, herd
from backend.policies.kmeans import kmeans
from backend.policies.uncertainty import uncertainty

SHORTLIST = 4000
"""Herding chooses among so many images: the most uncertain half, and as many at random."""

BOX_SHORTLIST = 4
"""For boxes, among so many times the most uncertain images as are to be picked."""


@dataclass(frozen=True, slots=True)
class Pick:
    """An image to label next; `cluster` groups the picks, `random` ones are for validation."""

    task: TaskId
    cluster: int
    random: bool


def select(
    kind: TaskKind,
    images: ImageBatch,
    predictions: PredictionBatch | None,
    labeled: ImageBatch,
    count: int,
    rng: np.random.Generator,
) -> tuple[Pick, ...]:
    """At most `count` of the unlabeled `images`, the most useful first.

    Args:
        kind: what the control asks.
        pictures: the unlabeled images.
        guesses: a model's answers to them; None before the first model.
        labeled: what people answered already.
        count: how many picks.
        rng: the same state gives the same picks.
    """
    chosen = _useful(kind, images, predictions, labeled, min(count, len(images)), rng)
    groups = kmeans(images.features[chosen], max(2, round(len(chosen) ** 0.5)), rng).of
    tasks = images.tasks
    return tuple(
        Pick(tasks[row], int(group), random=False)
        for row, group in zip(chosen, groups, strict=True)
    )


def _useful(
    kind: TaskKind,
    images: ImageBatch,
    predictions: PredictionBatch | None,
    labeled: ImageBatch,
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """Rows of `images`, best first."""
    if count <= 0:
        return []
    if kind is TaskKind.DETECTION:
        if predictions is None:
            return [int(row) for row in rng.choice(len(images), count, replace=False)]
        return _doubtful_boxes(images.features, predictions, count)
    unsure = np.ones(len(images)) if predictions is None else uncertainty(kind, predictions)
    pool = Pool(images.features, unsure, labeled.features)
    reach = REACH_BLIND if predictions is None else REACH
    return herd(pool, _shortlist(unsure, count, rng), count, reach, rng)


def _shortlist(unsure: Floats, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    size = max(SHORTLIST, 2 * count)
    if len(unsure) <= size:
        return np.arange(len(unsure))
    shuffled = rng.permutation(len(unsure))
    by_doubt = shuffled[np.argsort(-unsure[shuffled], kind="stable")]
    top, rest = by_doubt[: size // 2], by_doubt[size // 2 :]
    return np.sort(np.concatenate([top, rng.choice(rest, size - len(top), replace=False)]))


def _doubtful_boxes(features: Floats, predictions: PredictionBatch, count: int) -> list[int]:
    """Greedy: doubt times distance from the picks, in pictures and in the labels found in them."""
    doubt = uncertainty(TaskKind.DETECTION, predictions) + 1e-6
    top = np.argsort(-doubt, kind="stable")[: BOX_SHORTLIST * count]
    shown = features[top].astype(np.float32)
    found = predictions.probabilities[top].astype(np.float32)
    found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
    alike = np.zeros(len(top), dtype=np.float32)
    chosen = list[int]()
    for _ in range(min(count, len(top))):
        worth = doubt[top] * (1 - alike)
        worth[chosen] = -1
        best = int(worth.argmax())
        chosen.append(best)
        alike = np.maximum(alike, (shown @ shown[best]) * (found @ found[best])).clip(0, 1)
    return [int(top[position]) for position in chosen]
