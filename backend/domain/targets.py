"""Labels as arrays."""

from collections.abc import Sequence

import numpy as np

from backend.domain.answers import Answer
from backend.domain.arrays import Targets
from backend.domain.ids import Label


def multi_hot(answers: Sequence[Answer], labels: Sequence[Label]) -> Targets:
    """Return (n, K), True where an answer has a label; labels not listed are ignored."""
    column = {label: k for k, label in enumerate(labels)}
    targets = np.zeros((len(answers), len(labels)), dtype=np.bool_)
    for row, answer in enumerate(answers):
        for label in answer.labels:
            if label in column:
                targets[row, column[label]] = True
    return targets
