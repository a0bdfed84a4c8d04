"""What a head says of images that were left out of its training.

Their logits are honest; a calibration and thresholds that were fitted on the very same images are
not. So each image is judged by what the other folds teach, as boxes are.
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
"""Of rows that teach nothing and are not judged."""


def fitted(head: Head, logits: Floats, targets: Targets) -> Head:
    """The head with the calibration and the rule that suit these images, (n, K) both."""
    link = head.rule.link
    calibration = calibrated(logits, targets, link)
    chances = link.probabilities(calibration(logits))
    return replace(head, calibration=calibration, rule=rule(link, chances, targets))


def answers(
    control: Control, head: Head, logits: Floats, targets: Targets, folds: NDArray[np.intp]
) -> PredictionBatch:
    """Answers to all rows, each fold's calibrated and decided by what the other folds teach.

    Args:
        control: whose labels the answers are in.
        head: what rows of `NO_FOLD` are answered by as it is.
        logits, flags: (n, K) of images that were left out, and which labels they have.
        folds: (n,).
    """
    said = head.answer(control, logits)
    for fold in range(int(folds.max(initial=NO_FOLD)) + 1):
        own, others = np.flatnonzero(folds == fold), (folds != fold) & (folds != NO_FOLD)
        judge = fitted(head, logits[others], targets[others])
        said = said.with_rows(own, judge.answer(control, logits[own]))
    return said
