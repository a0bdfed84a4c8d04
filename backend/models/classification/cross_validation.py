"""Choose C by stratified cross-validation, then fit a linear head on all images.

The out-of-fold logits also serve calibration, label issues and the learning curve.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets
from backend.models.calibration import Calibration, platt, temperature
from backend.models.classification import logistic
from backend.models.classification.logistic import Linear, Space
from backend.models.classification.progress import ThrottledProgress
from backend.models.folds import stratified
from backend.models.link_functions import SOFTMAX, Link
from backend.ports.progress import Progress

C_VALUES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Candidate values of scikit-learn's C; others changed nothing on any data we tried."""

DEFAULT_STRENGTH = 100.0
"""C when nothing can be compared. With one or two images a label every C ranks labels by the
distance to class means, so the default costs no accuracy."""

IMPOSSIBLE = -30.0
"""Logit of a label whose images were all left out, so that the fold could not learn it."""

CLOSE = 3e-3
"""Tolerance of fits that are only compared with each other."""

MANY = 2000
"""With more images, the first fold chooses C for all, and there are three folds, not five."""


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """A head and its out-of-fold logits.

    Attributes:
        head: fitted on all images.
        link: how logits are read.
        c: inverse strength of the penalty.
        out_of_fold: (n, K) logits of each image by a head that did not see it.
        folds: (n,) the fold of each image.
        scored: (n,) False where all images of a row's label were left out with it, so that its
            logits say nothing about the head.
        calibration: fitted on the scored rows.
        log_loss: of the scored rows after calibration, in nats.
        tried: the log loss by C.
    """

    head: Linear
    link: Link
    c: float
    out_of_fold: Floats
    folds: NDArray[np.intp]
    scored: Targets
    calibration: Calibration
    log_loss: float
    tried: Mapping[float, float]


def cross_validate(
    features: Floats, targets: Targets, link: Link, seed: int, progress: Progress
) -> CrossValidated:
    """Fit a head whose strength has the least calibrated out-of-fold log loss.

    Args:
        features: (n, d), rows of length 1.
        targets: (n, K); every label has at least one image.
        link: how logits are read.
        seed: of the folds.
        progress: called for each fold, at most once a second.
    """
    count = 5 if len(targets) <= MANY else 3
    throttled = ThrottledProgress(progress, count + 1)
    space = Space.of(features)
    folds = stratified(targets, count, seed)
    scored = scorable(targets, folds, link)
    by_strength, nearest = _out_of_fold(space.rows, targets, folds, link, throttled)
    tried = {
        c: calibrated_loss(logits[scored], targets[scored], link)
        for c, logits in by_strength.items()
    }
    c = min(tried, key=lambda c: tried[c]) if scored.any() else DEFAULT_STRENGTH
    throttled.next()
    head = space.back(
        logistic.fit(
            space.rows, targets.astype(np.float32), link, c, nearest.get(c), throttled=throttled
        )
    )
    logits = by_strength[c]
    calibration = calibrated(logits[scored], targets[scored], link)
    return CrossValidated(head, link, c, logits, folds, scored, calibration, tried[c], tried)


def scorable(targets: Targets, folds: NDArray[np.intp], link: Link) -> Targets:
    """Return (n,) rows whose labels all occur in another fold too; all rows with a sigmoid."""
    if link is not SOFTMAX:
        return np.ones(len(targets), dtype=np.bool_)
    elsewhere = np.array([targets[folds != fold].any(axis=0) for fold in range(folds.max() + 1)])
    return np.logical_or(~targets, elsewhere[folds]).sum(axis=1) == targets.shape[1]


def calibrated(logits: Floats, targets: Targets, link: Link) -> Calibration:
    """Fit the calibration that suits the link."""
    return temperature(logits, targets) if link is SOFTMAX else platt(logits, targets)


def calibrated_loss(logits: Floats, targets: Targets, link: Link) -> float:
    """Return the mean log loss in nats after calibration; infinite without rows."""
    if not len(logits):
        return float("inf")
    logits = calibrated(logits, targets, link)(logits)
    return float(link.losses(logits, targets.astype(np.float64)).mean())


def fit_known(
    rows: Floats,
    targets: Floats,
    link: Link,
    c: float,
    throttled: ThrottledProgress,
    start: Linear | None = None,
    importance: Floats | None = None,
) -> Linear:
    """Fit a head to compare with others; a softmax label without rows gets IMPOSSIBLE."""
    known = np.flatnonzero(targets.sum(axis=0) > (0 if link is SOFTMAX else -1))
    weights = np.zeros((rows.shape[1], targets.shape[1]), dtype=np.float32)
    bias = np.full(targets.shape[1], IMPOSSIBLE, dtype=np.float32)
    if len(known):
        near = start and Linear(start.weights[:, known], start.bias[known])
        found = logistic.fit(rows, targets[:, known], link, c, near, importance, CLOSE, throttled)
        weights[:, known], bias[known] = found.weights, found.bias
    return Linear(weights, bias)


def _out_of_fold(
    rows: Floats,
    targets: Targets,
    folds: NDArray[np.intp],
    link: Link,
    throttled: ThrottledProgress,
) -> tuple[Mapping[float, Floats], Mapping[float, Linear]]:
    """Return the logits of each image by heads that did not see it, and the last head, by C.

    A fit starts from the head of the next smaller C, never from that of another fold, which has
    seen the images left out of this one. With more than MANY images the first fold alone chooses
    C, and tries larger ones only while they help: they take longest.
    """
    logits = {c: np.zeros(targets.shape, dtype=np.float32) for c in C_VALUES}
    heads, losses = dict[float, Linear](), dict[float, float]()
    for fold in range(folds.max() + 1):
        throttled.next()
        left_out, head = folds == fold, None
        learned = targets[~left_out].astype(np.float32)
        for c, own in logits.items():
            head = heads[c] = fit_known(rows[~left_out], learned, link, c, throttled, head)
            own[left_out] = head.logits(rows[left_out])
            if len(targets) > MANY and not fold:
                losses[c] = calibrated_loss(own[left_out], targets[left_out], link)
                if losses[c] > min(losses.values()):
                    break
        if losses:
            best = min(losses, key=lambda c: losses[c])
            logits = {best: logits[best]}
    return logits, heads
