"""Select the images to label next.

Labels of whole images use uncertainty herding at every budget. Boxes use the most uncertain
images, made diverse (after PPAL, Yang et al., CVPR 2024): coverage alone is worse than random
selection there.
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
from backend.policies.near_duplicates import distinct_first
from backend.policies.uncertainty import uncertainty

SHORTLIST = 4000
"""Herding chooses among this many images: half the most uncertain, half random."""

BOX_SHORTLIST = 4
"""Boxes are picked among the most uncertain images, this many times the number of picks."""


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
    """Select at most `count` of the unlabeled `images`, most useful first.

    Args:
        kind: what the control asks.
        images: the unlabeled images.
        predictions: a model's answers to them; None before the first model.
        labeled: the labeled images.
        count: number of picks.
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
    """Return rows of `images`, best first."""
    if count <= 0:
        return []
    if kind is TaskKind.DETECTION:
        if predictions is None:
            order = rng.permutation(len(images))
            return distinct_first(images.features, order, labeled.features, count)
        return _uncertain_boxes(images.features, predictions, count)
    unsure = np.ones(len(images)) if predictions is None else uncertainty(kind, predictions)
    pool = Pool(images.features, unsure, labeled.features)
    reach = REACH_BLIND if predictions is None else REACH
    return herd(pool, _shortlist(unsure, count, rng), count, reach, rng)


def _shortlist(unsure: Floats, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    size = max(SHORTLIST, 2 * count)
    if len(unsure) <= size:
        return np.arange(len(unsure))
    shuffled = rng.permutation(len(unsure))
    by_uncertainty = shuffled[np.argsort(-unsure[shuffled], kind="stable")]
    top, rest = by_uncertainty[: size // 2], by_uncertainty[size // 2 :]
    return np.sort(np.concatenate([top, rng.choice(rest, size - len(top), replace=False)]))


def _uncertain_boxes(features: Floats, predictions: PredictionBatch, count: int) -> list[int]:
    """Pick greedily by uncertainty times distance to the picks, in features and in labels."""
    unsure = uncertainty(TaskKind.DETECTION, predictions) + 1e-6
    top = np.argsort(-unsure, kind="stable")[: BOX_SHORTLIST * count]
    shown = features[top].astype(np.float32)
    found = predictions.probabilities[top].astype(np.float32)
    found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
    alike = np.zeros(len(top), dtype=np.float32)
    chosen = list[int]()
    for _ in range(min(count, len(top))):
        worth = unsure[top] * (1 - alike)
        worth[chosen] = -1
        best = int(worth.argmax())
        chosen.append(best)
        alike = np.maximum(alike, (shown @ shown[best]) * (found @ found[best])).clip(0, 1)
    return [int(top[position]) for position in chosen]
