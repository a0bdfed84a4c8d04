"""The learning curve of a project, and where it leads.

The error falls as a power of the number of labeled images (Hestness et al. 2017, arXiv
1712.00409).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

USUAL_POWER = 0.5
"""Prior exponent of the learning curve: error ~ images ** -0.5."""

AHEAD = (1.25, 1.5, 2.0)
"""So many times the images of the last training are looked ahead."""


@dataclass(frozen=True, slots=True)
class PastTraining:
    """The number of labeled images of a training, and its score in [0, 1]."""

    images: int
    score: float


def power(history: Sequence[PastTraining]) -> float:
    """Fit the exponent of the learning curve, within [0.1, 1].

    Least squares in log-log space, with USUAL_POWER as one more observation of unit weight.
    """
    images = np.log([max(1, training.images) for training in history])
    errors = np.log([max(0.005, 1 - training.score) for training in history])
    spread = images - images.mean()
    steepness = -(spread @ errors - USUAL_POWER) / (spread @ spread + 1)
    return float(np.clip(steepness, 0.1, 1))


def ahead(history: Sequence[PastTraining], images: int) -> tuple[PastTraining, ...]:
    """Extrapolate the curve from its last training, up to all `images` of the project.

    Args:
        history: oldest first.
        images: labeled or not.
    """
    if not history:
        return ()
    last, exponent = history[-1], power(history)
    steps = sorted({min(images, round(last.images * times)) for times in AHEAD})
    return tuple(
        PastTraining(step, 1 - (1 - last.score) * (step / last.images) ** -exponent)
        for step in steps
        if step > last.images > 0
    )
