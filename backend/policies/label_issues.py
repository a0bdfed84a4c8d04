"""Human labels that look wrong, by confident learning (Northcutt, Jiang & Chuang 2021).

A label is doubted when the out-of-fold model is as sure of another label as it usually is of
images that carry that other one. cleanlab is the reference that the tests compare with; the rule
is short enough to stand here, without pandas in every process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.answers import Answer
from backend.domain.arrays import Floats
from backend.domain.ids import TaskId
from backend.domain.schema import Control, TaskKind
from backend.policies.hard_examples.evidence import multi_hot


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A labeled task to check again; `doubt` in [0, 1] orders them."""

    task: TaskId
    doubt: float
    words: str


def doubted(
    control: Control, tasks: Sequence[TaskId], answers: Sequence[Answer], probabilities: Floats
) -> tuple[LabelIssue, ...]:
    """Choices that the model strongly doubts, most doubtful first, one entry a task.

    `probabilities` (n, K) must come from models that did not see the task (out of fold).
    """
    given = multi_hot(answers, control.labels) > 0
    find = _among_several if control.kind is TaskKind.MULTI else _among_exclusive
    issues = list(find(control, tasks, given, probabilities.astype(np.float64)))
    return tuple(sorted(issues, key=lambda issue: -issue.doubt))


def confident_other(given: NDArray[np.intp], probabilities: Floats) -> NDArray[np.intp]:
    """(n,) the other label that an image confidently has, -1 where its own is not in doubt.

    A label is confidently there from the mean probability of images that carry it on.
    """
    labels = probabilities.shape[1]
    usual = np.array(
        [
            probabilities[given == k, k].mean() if np.any(given == k) else np.inf
            for k in range(labels)
        ]
    )
    confident = np.where(probabilities >= usual - 1e-6, probabilities, -1)
    best = confident.argmax(axis=1)
    rows = np.arange(len(given))
    return np.where((confident[rows, best] > 0) & (best != given), best, -1)


def _among_exclusive(
    control: Control, tasks: Sequence[TaskId], given: NDArray[np.bool_], probabilities: Floats
) -> Iterable[LabelIssue]:
    one = np.flatnonzero(given.sum(axis=1) == 1)
    label = given[one].argmax(axis=1)
    other = confident_other(label, probabilities[one])
    for row, own, better in zip(one, label, other, strict=True):
        p = probabilities[row]
        if better >= 0:
            yield _issue(
                tasks[int(row)],
                1 + float(p[better] - p[own]),
                f"labeled '{control.labels[int(own)]}', looks like "
                f"'{control.labels[int(better)]}' ({p[better]:.2f})",
            )


def _among_several(
    control: Control, tasks: Sequence[TaskId], given: NDArray[np.bool_], probabilities: Floats
) -> Iterable[LabelIssue]:
    """Each label on its own, there or not; of a task the most doubtful one."""
    worst = dict[TaskId, LabelIssue]()
    for k, label in enumerate(control.labels):
        there = given[:, k].astype(np.intp)
        both = np.stack([1 - probabilities[:, k], probabilities[:, k]], axis=1)
        for row in np.flatnonzero(confident_other(there, both) >= 0):
            word = "has" if there[row] else "lacks"
            words = f"{word} '{label}', model says {probabilities[row, k]:.2f}"
            doubt = 2 * abs(float(there[row]) - float(probabilities[row, k]))
            found = _issue(tasks[int(row)], doubt, words)
            if found.task not in worst or worst[found.task].doubt < found.doubt:
                worst[found.task] = found
    return worst.values()


def _issue(task: TaskId, doubled: float, words: str) -> LabelIssue:
    return LabelIssue(task, float(np.clip(doubled / 2, 0, 1)), words)
