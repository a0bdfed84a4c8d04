"""The score of a prediction: the calibrated confidence in the whole answer to a task.

Label Studio shows it in the score column and orders tasks by it; certificates accept by it.
"""

from collections.abc import Iterable

import numpy as np

from backend.domain.arrays import Floats


def prediction_score(confidences: Iterable[Floats], images: int) -> Floats:
    """Multiply the confidences of all controls, (n,) float32 in [0, 1].

    The product is the probability that the answers to all controls are right if their mistakes
    are independent. A confidence that is NaN scores 0.

    Args:
        confidences: one array (n,) for each control, the calibrated probability that the
            control's whole answer is right.
        images: n; without any control each image scores 1.
    """
    score = np.ones(images, dtype=np.float32)
    for confidence in confidences:
        score *= confidence.astype(np.float32)
    return np.clip(np.nan_to_num(score), 0.0, 1.0)
