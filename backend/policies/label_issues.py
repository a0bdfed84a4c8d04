"""Find human labels that are probably wrong, the likeliest first.

With exclusive labels the order is that of the out-of-fold self-confidence (Northcutt, Jiang &
Chuang 2021). `label_noise` estimates how many labels are wrong and with what chance each one, and
the list ends where a second look stops paying. The thresholds of confident learning itself list 6
to 8 % of labels that are all right; see docs/benchmarks.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer
from backend.domain.arrays import Floats, Targets
from backend.domain.ids import TaskId
from backend.domain.schema import Control, TaskKind
from backend.domain.targets import multi_hot
from backend.policies import label_noise

WORTH_A_LOOK = 0.3
"""Least chance that a listed label is wrong. At 5 % noise on `clothing` the list holds 6 to 8 of 10
wrong labels, and 8 of 10 listed ones are wrong."""

FEWEST = 5
"""A label of fewer images is not judged: some of the models have hardly seen it."""


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A labeled task to check again.

    `severity` is in [0, 1]: the chance that the label is wrong.
    """

    task: TaskId
    severity: float
    reason: str


def find_label_issues(
    control: Control, tasks: Sequence[TaskId], answers: Sequence[Answer], probabilities: Floats
) -> tuple[LabelIssue, ...]:
    """Return the label issues of a classification control, most severe first, one for each task.

    Args:
        control: of kind SINGLE or MULTI.
        tasks: n.
        answers: n human answers.
        probabilities: (n, K) by models that did not see the task (out of fold).
    """
    given = multi_hot(answers, control.labels)
    find = _multi_label_issues if control.kind is TaskKind.MULTI else _single_label_issues
    issues = find(control, tasks, given, probabilities.astype(np.float64))
    return tuple(sorted(issues, key=lambda issue: -issue.severity))


def _single_label_issues(
    control: Control, tasks: Sequence[TaskId], given: Targets, probabilities: Floats
) -> Iterable[LabelIssue]:
    rows = np.flatnonzero((given.sum(axis=1) == 1) & (given & _judged(given)).any(axis=1))
    if not len(rows) or given.shape[1] < 2:
        return
    label, p = given[rows].argmax(axis=1), probabilities[rows]
    chances = label_noise.exclusive(p, label)
    other = np.where(given[rows], -1, p).argmax(axis=1)
    for place in np.flatnonzero(chances >= WORTH_A_LOOK):
        own, better = control.labels[int(label[place])], control.labels[int(other[place])]
        reason = f"labeled '{own}', looks like '{better}' ({p[place, other[place]]:.2f})"
        yield LabelIssue(tasks[int(rows[place])], float(chances[place]), reason)


def _multi_label_issues(
    control: Control, tasks: Sequence[TaskId], given: Targets, probabilities: Floats
) -> Iterable[LabelIssue]:
    """Treat each label as a question of its own; keep the most severe issue of each task."""
    columns = np.flatnonzero(_judged(given))
    if not len(columns):
        return
    has, p = given[:, columns], probabilities[:, columns]
    chances = label_noise.independent(p, has)
    for row in np.flatnonzero(chances.max(axis=1) >= WORTH_A_LOOK):
        k = int(chances[row].argmax())
        verb, label = "has" if has[row, k] else "lacks", control.labels[int(columns[k])]
        reason = f"{verb} '{label}', model says {p[row, k]:.2f}"
        yield LabelIssue(tasks[int(row)], float(chances[row, k]), reason)


def _judged(given: Targets) -> Targets:
    """Return (K,) the labels that enough images carry."""
    return given.sum(axis=0) >= FEWEST
