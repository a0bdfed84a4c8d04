"""Turn label probabilities into an answer and the confidence in the whole answer."""

from dataclasses import dataclass

import numpy as np

from backend.domain.arrays import Floats, Targets
from backend.models.calibration import ScoreCalibration
from backend.models.link_functions import SOFTMAX, Link

THRESHOLD_PRIOR = 10
"""A label with this many images gets the mean of its own best threshold and 0.5."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How calibrated probabilities become an answer.

    Exclusive labels: the most probable one, with its probability as the confidence. Several
    labels: those at or above their threshold (K,). The product of the single decisions'
    probabilities assumes independent labels; `whole` calibrates it to the confidence.
    """

    link: Link
    thresholds: Floats
    whole: ScoreCalibration

    def decide(self, probabilities: Floats) -> tuple[Targets, Floats]:
        """Return the labels (n, K) and the confidence in the whole answer (n,)."""
        if self.link is SOFTMAX:
            best = probabilities.argmax(axis=1)
            columns = np.arange(probabilities.shape[1])
            return best[:, None] == columns, probabilities.max(axis=1)
        chosen = probabilities >= self.thresholds
        return chosen, self.whole(_joint(probabilities, chosen))


def rule(link: Link, probabilities: Floats, targets: Targets) -> Rule:
    """Fit the rule on calibrated probabilities (n, K) of images not trained on."""
    labels = probabilities.shape[1]
    if link is SOFTMAX:
        return Rule(link, np.full(labels, 0.5), ScoreCalibration())
    thresholds = np.array(
        [best_threshold(probabilities[:, column], targets[:, column]) for column in range(labels)]
    )
    chosen = probabilities >= thresholds
    right = (chosen == targets).sum(axis=1) == labels
    return Rule(link, thresholds, ScoreCalibration.of(_joint(probabilities, chosen), right))


def best_threshold(probabilities: Floats, targets: Targets) -> float:
    """Return the threshold of the greatest F1, shrunk towards 0.5 for a rare label.

    Args:
        probabilities: (n,) of one label.
        targets: (n,).
    """
    positives = int(targets.sum())
    if not positives:
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ranked = np.append(probabilities[order], 0.0)
    f1 = 2 * np.cumsum(targets[order]) / (np.arange(1, len(order) + 1) + positives)
    f1[ranked[:-1] == ranked[1:]] = 0  # no threshold separates equal probabilities
    last = int(f1.argmax())
    best = float(ranked[last] + ranked[last + 1]) / 2
    return (positives * best + THRESHOLD_PRIOR * 0.5) / (positives + THRESHOLD_PRIOR)


def _joint(probabilities: Floats, chosen: Targets) -> Floats:
    return np.where(chosen, probabilities, 1 - probabilities).prod(axis=1)
