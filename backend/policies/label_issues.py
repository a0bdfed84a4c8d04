"""Find human labels that look wrong, by confident learning (Northcutt, Jiang & Chuang 2021).

A label is an issue when the out-of-fold model is as confident in another label as it is on average
in images that carry that other label. The tests compare with cleanlab, which finds the same issues
but costs seconds to import: see docs/decisions/own-metrics-clusters-and-tails.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.answers import Answer
from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.ids import TaskId
from backend.domain.schema import Control, TaskKind
from backend.domain.targets import multi_hot


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A labeled task to check again.

    `severity` is in [0, 1]: with exclusive labels, 1 minus cleanlab's label quality score by
    normalized margin; else how far the probability is from the label, or a box's confidence.
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


def confident_other(given: Rows, probabilities: Floats) -> Rows:
    """Return (n,) the other label that an image confidently has, -1 where there is none.

    An image has a label confidently if its probability reaches the self-confidence of the label:
    the mean probability over the images that carry it.

    Args:
        given: (n,) the index of each image's label.
        probabilities: (n, K).
    """
    self_confidence = np.array(
        [
            probabilities[given == k, k].mean() if np.any(given == k) else np.inf
            for k in range(probabilities.shape[1])
        ]
    )
    confident = np.where(probabilities >= self_confidence - 1e-6, probabilities, -1)
    best = confident.argmax(axis=1)
    rows = np.arange(len(given))
    return np.where((confident[rows, best] > 0) & (best != given), best, -1)


def _single_label_issues(
    control: Control, tasks: Sequence[TaskId], given: Targets, probabilities: Floats
) -> Iterable[LabelIssue]:
    rows = np.flatnonzero(given.sum(axis=1) == 1)
    label = given[rows].argmax(axis=1)
    other = confident_other(label, probabilities[rows])
    for place in np.flatnonzero(other >= 0):
        row, own, better = int(rows[place]), int(label[place]), int(other[place])
        p, names = probabilities[row], control.labels
        reason = f"labeled '{names[own]}', looks like '{names[better]}' ({p[better]:.2f})"
        yield LabelIssue(tasks[row], _clipped((1 + p[better] - p[own]) / 2), reason)


def _multi_label_issues(
    control: Control, tasks: Sequence[TaskId], given: Targets, probabilities: Floats
) -> Iterable[LabelIssue]:
    """Treat each label as a question of its own; keep the most severe issue of each task."""
    worst = dict[TaskId, LabelIssue]()
    for k, label in enumerate(control.labels):
        has, p = given[:, k].astype(np.intp), probabilities[:, k]
        for row in np.flatnonzero(confident_other(has, np.stack([1 - p, p], axis=1)) >= 0):
            reason = f"{'has' if has[row] else 'lacks'} '{label}', model says {p[row]:.2f}"
            issue = LabelIssue(
                tasks[int(row)], _clipped(abs(float(has[row]) - float(p[row]))), reason
            )
            if issue.task not in worst or worst[issue.task].severity < issue.severity:
                worst[issue.task] = issue
    return worst.values()


def _clipped(severity: float) -> float:
    return float(np.clip(severity, 0, 1))
