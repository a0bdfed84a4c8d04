"""Choose the labels that are held out of a training, to measure or to audit the model on them.

Membership depends on the task id and the project's seed only, so it survives restarts, does not
depend on images imported later, and is the same in every round.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Answer
from backend.domain.ids import Label, TaskId

MIN_TRAIN = 4
"""A label keeps this many images for training before any of its images is held out."""

NOTHING = frozenset({Label("")})
"""Stands for an empty answer, which counts as a label of its own."""

Positions = NDArray[np.intp]


def split(
    tasks: Sequence[TaskId],
    answers: Sequence[Answer],
    seed: int,
    share: float,
    trained: frozenset[TaskId] = frozenset(),
) -> tuple[Positions, Positions]:
    """Return positions to train on and positions to hold out for evaluation, both ascending.

    Each task is held out with probability `share`, decided by its id. Every label keeps at least
    MIN_TRAIN images for training, so a small set may hold out nothing. Tasks in `trained`, on
    which earlier versions were trained, are never held out.
    """
    place = [_uniform(task, seed) for task in tasks]
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


def lot(tasks: Iterable[TaskId], seed: int, share: float) -> frozenset[TaskId]:
    """Return the tasks that labels declared to be random give to an audit, about `share` of all."""
    return frozenset(task for task in tasks if _uniform(task, seed, "stated") < share)


def _uniform(task: TaskId, seed: int, purpose: str = "held-out") -> float:
    """Hash a task to [0, 1): uniform over tasks, and the same in every run."""
    digest = blake2b(f"{purpose}:{seed}:{task}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
