"""Which images a person should label next.

One rule for all budgets: uncertainty herding. Boxes differ, since pure coverage loses to chance
there: the most uncertain images, spread over what they show (after PPAL, Yang et al., CVPR 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.batches import Floats, Guesses, Pictures
from backend.domain.ids import TaskId
from backend.domain.schema import Kind
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
    kind: Kind,
    pictures: Pictures,
    guesses: Guesses | None,
    labeled: Pictures,
    count: int,
    chance: np.random.Generator,
) -> tuple[Pick, ...]:
    """At most `count` of the unlabeled `pictures`, the most useful first.

    Args:
        kind: what the control asks.
        pictures: the unlabeled images.
        guesses: a model's answers to them; None before the first model.
        labeled: what people answered already.
        count: how many picks.
        chance: same state, same picks.
    """
    chosen = _useful(kind, pictures, guesses, labeled, min(count, len(pictures)), chance)
    groups = kmeans(pictures.features[chosen], max(2, round(len(chosen) ** 0.5)), chance).of
    tasks = pictures.tasks
    return tuple(
        Pick(tasks[row], int(group), random=False)
        for row, group in zip(chosen, groups, strict=True)
    )


def _useful(
    kind: Kind,
    pictures: Pictures,
    guesses: Guesses | None,
    labeled: Pictures,
    count: int,
    chance: np.random.Generator,
) -> list[int]:
    """Rows of `pictures`, best first."""
    if count <= 0:
        return []
    if kind is Kind.DETECTION:
        if guesses is None:
            return [int(row) for row in chance.choice(len(pictures), count, replace=False)]
        return _doubtful_boxes(pictures.features, guesses, count)
    unsure = np.ones(len(pictures)) if guesses is None else uncertainty(kind, guesses)
    pool = Pool(pictures.features, unsure, labeled.features)
    reach = REACH_BLIND if guesses is None else REACH
    return herd(pool, _shortlist(unsure, count, chance), count, reach, chance)


def _shortlist(unsure: Floats, count: int, chance: np.random.Generator) -> NDArray[np.intp]:
    size = max(SHORTLIST, 2 * count)
    if len(unsure) <= size:
        return np.arange(len(unsure))
    shuffled = chance.permutation(len(unsure))
    by_doubt = shuffled[np.argsort(-unsure[shuffled], kind="stable")]
    top, rest = by_doubt[: size // 2], by_doubt[size // 2 :]
    return np.sort(np.concatenate([top, chance.choice(rest, size - len(top), replace=False)]))


def _doubtful_boxes(features: Floats, guesses: Guesses, count: int) -> list[int]:
    """Greedy: doubt times distance from the picks, in pictures and in the labels found in them."""
    doubt = uncertainty(Kind.DETECTION, guesses) + 1e-6
    top = np.argsort(-doubt, kind="stable")[: BOX_SHORTLIST * count]
    shown = features[top].astype(np.float32)
    found = guesses.probabilities[top].astype(np.float32)
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
