"""Answers of a head to images that were left out of its training.

Their logits are unbiased, but a calibration and thresholds fitted on the same images are not. So
each fold is answered with the calibration and the rule fitted on the other folds.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets
from backend.domain.batches import PredictionBatch
from backend.domain.schema import Control
from backend.models.classification.cross_validation import calibrated
from backend.models.classification.decision_rule import rule
from backend.models.classification.head import Head

NO_FOLD = -1
"""The fold of rows that are neither trained on nor scored."""


def fitted(head: Head, logits: Floats, targets: Targets) -> Head:
    """Fit calibration and rule on logits and targets (n, K), and return the head with them."""
    link = head.rule.link
    calibration = calibrated(logits, targets, link)
    probabilities = link.probabilities(calibration(logits))
    return replace(head, calibration=calibration, rule=rule(link, probabilities, targets))


def answers(
    control: Control, head: Head, logits: Floats, targets: Targets, folds: NDArray[np.intp]
) -> PredictionBatch:
    """Answer all rows, each fold by the calibration and rule of the other folds.

    Args:
        control: whose labels the answers have.
        head: answers rows of `NO_FOLD` unchanged.
        logits: (n, K) of images that were left out.
        targets: (n, K) of the same images.
        folds: (n,).
    """
    predictions = head.answer(control, logits)
    for fold in range(int(folds.max(initial=NO_FOLD)) + 1):
        own, others = np.flatnonzero(folds == fold), (folds != fold) & (folds != NO_FOLD)
        refitted = fitted(head, logits[others], targets[others])
        predictions = predictions.with_rows(own, refitted.answer(control, logits[own]))
    return predictions
