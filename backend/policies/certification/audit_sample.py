"""Which images are kept aside: the random validation lane, and the held-out part of the labels.

Membership hangs on the task's id and the project's seed alone, so it survives restarts, holds
however many images join, and never changes from one round to the next.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Answer
from backend.domain.ids import Label, TaskId

LABELS_ARE_RANDOM = "assuming that the labeled images are a random sample of all, as was stated"

MIN_TRAIN = 4
"""A label keeps this many images for training before any of its images is held out."""

NOTHING = frozenset({Label("")})
"""An empty answer counts as a label of its own."""

Positions = NDArray[np.intp]

_PURPOSE = "lane"


def audit(
    tasks: Iterable[TaskId], seed: int, share: float, taken: frozenset[TaskId] = frozenset()
) -> tuple[TaskId, ...]:
    """The tasks that people should label for validation, in the order in which to label them.

    Any first part of it is a uniform random sample of `tasks` without `taken`. Raising `share`
    only adds tasks.

    Args:
        tasks: all candidates, whoever chose them.
        seed: the project's; the same in every round.
        share: of the candidates, in [0, 1].
        taken: what a model has trained on already; never enters the lane.
    """
    drawn = ((_uniform(task, seed, _PURPOSE), task) for task in tasks if task not in taken)
    return tuple(task for place, task in sorted(drawn) if place < share)


def share_of(tasks: Iterable[TaskId], seed: int, count: int) -> float:
    """The share at which the lane of these tasks has `count` images, or all if they are fewer."""
    places = sorted(_uniform(task, seed, _PURPOSE) for task in tasks)[: max(0, count)]
    return float(np.nextafter(places[-1], 1.0)) if places else 0.0


def split(
    tasks: Sequence[TaskId],
    answers: Sequence[Answer],
    seed: int,
    share: float,
    trained: frozenset[TaskId] = frozenset(),
) -> tuple[Positions, Positions]:
    """Positions to train on and positions to hold out for evaluation, both ascending.

    Each task is held out with chance `share`, by its id. A label that would keep fewer than
    MIN_TRAIN images for training takes some back, so a small set may hold out nothing; pass what
    earlier versions trained on as `trained`, so that those never come to be held out later.
    """
    place = [_uniform(task, seed, "held-out") for task in tasks]
    labels = [frozenset(answer.labels) or NOTHING for answer in answers]
    chosen = [i for i, task in enumerate(tasks) if place[i] < share and task not in trained]
    left = Counter[Label](label for used in labels for label in used)
    held_out = list[int]()
    for i in sorted(chosen, key=place.__getitem__):
        if all(left[label] > MIN_TRAIN for label in labels[i]):
            held_out.append(i)
            left.subtract(labels[i])
    outside = set(held_out)
    train = [i for i in range(len(tasks)) if i not in outside]
    return np.array(train, dtype=np.intp), np.array(sorted(held_out), dtype=np.intp)


def _uniform(task: TaskId, seed: int, purpose: str) -> float:
    """A number in [0, 1) that looks random and is the same forever."""
    digest = blake2b(f"{purpose}:{seed}:{task}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
