"""Choosing and fitting a linear head: stratified cross-validation, then all images.

The out-of-fold logits that fall off are worth as much as the head: calibration, label errors and
the learning curve rest on them.
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
from backend.models.links import SOFTMAX, Link
from backend.ports.progress import Progress

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Values of scikit-learn's C; beyond these nothing changed on any data we tried."""

DEFAULT_STRENGTH = 100.0
"""Where nothing can be compared. With one or two images a label, every strength ranks labels as
the distance to class means does, so a default costs no accuracy."""

IMPOSSIBLE = -30.0
"""Logit of a label that a fold could not learn because all its images were left out."""

CLOSE = 3e-3
"""Tolerance at which a fit is close enough to be compared with others."""

MANY = 2000
"""Images from which one fold chooses the strength for all, and three folds replace five."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A head, and what it says of images it was not trained on.

    `out_of_fold` (n, K) logits; `folds` (n,); `judged` (n,): False where the only images of a
    row's label were left out with it, so that the row says nothing about the head. `log_loss` is
    the calibrated one of the judged rows in nats, by strength in `tried`.
    """

    head: Linear
    link: Link
    c: float
    out_of_fold: Floats
    folds: NDArray[np.intp]
    judged: Targets
    calibration: Calibration
    log_loss: float
    tried: Mapping[float, float]


def teach(features: Floats, targets: Targets, link: Link, seed: int, progress: Progress) -> Taught:
    """Fit a head whose strength has the least calibrated out-of-fold log loss.

    Args:
        features: (n, d), rows of length 1.
        flags: (n, K); every label has at least one image.
        link: how logits are read.
        seed: of the folds.
        progress: told about each fold, at most once a second.
    """
    count = 5 if len(targets) <= MANY else 3
    throttled = ThrottledProgress(progress, count + 1)
    space = Space.of(features)
    folds = stratified(targets, count, seed)
    judged = judgeable(targets, folds, link)
    by_strength = _out_of_fold(space.rows, targets, folds, link, throttled)
    tried = {
        c: calibrated_loss(logits[judged], targets[judged], link)
        for c, logits in by_strength.items()
    }
    c = min(tried, key=lambda c: tried[c]) if judged.any() else DEFAULT_STRENGTH
    throttled.next()
    head = space.back(
        logistic.fit(space.rows, targets.astype(np.float32), link, c, throttled=throttled)
    )
    logits = by_strength[c]
    calibration = calibrated(logits[judged], targets[judged], link)
    return Taught(head, link, c, logits, folds, judged, calibration, tried[c], tried)


def judgeable(targets: Targets, folds: NDArray[np.intp], link: Link) -> Targets:
    """Rows of which every label occurs in another fold too; all rows, where labels stand alone."""
    if link is not SOFTMAX:
        return np.ones(len(targets), dtype=np.bool_)
    elsewhere = np.array([targets[folds != fold].any(axis=0) for fold in range(folds.max() + 1)])
    return np.logical_or(~targets, elsewhere[folds]).sum(axis=1) == targets.shape[1]


def calibrated(logits: Floats, targets: Targets, link: Link) -> Calibration:
    """The calibration that suits the link."""
    return temperature(logits, targets) if link is SOFTMAX else platt(logits, targets)


def calibrated_loss(logits: Floats, targets: Targets, link: Link) -> float:
    """Mean log loss in nats after calibration; infinite where nothing can be judged."""
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
    """A head close enough to compare; a softmax label that no row has becomes impossible."""
    known = np.flatnonzero(targets.sum(axis=0) > (0 if link is SOFTMAX else -1))
    weights = np.zeros((rows.shape[1], targets.shape[1]), dtype=np.float32)
    bias = np.full(targets.shape[1], IMPOSSIBLE, dtype=np.float32)
    if len(known):
        near = start and Linear(start.weights[:, known], start.bias[known])
        found = logistic.fit(rows, targets[:, known], link, c, near, importance, CLOSE, throttled)
        weights[:, known], bias[known] = found.weights, found.bias
    return Linear(weights, bias)


def _out_of_fold(
    rows: Floats, flags: Targets, folds: NDArray[np.intp], link: Link, throttled: ThrottledProgress
) -> Mapping[float, Floats]:
    """Logits of each image by heads that did not see it, by strength.

    With many images the first fold alone decides on the strength.
    """
    logits = {c: np.zeros(flags.shape, dtype=np.float32) for c in STRENGTHS}
    for fold in range(folds.max() + 1):
        throttled.next()
        left_out, head = folds == fold, None
        targets = flags[~left_out].astype(np.float32)
        for c, found in logits.items():
            head = fit_known(rows[~left_out], targets, link, c, throttled, head)
            found[left_out] = head.logits(rows[left_out])
        if len(flags) > MANY and len(logits) > 1:
            best = _best(logits, flags, left_out, link)
            logits = {best: logits[best]}
    return logits


def _best(logits: Mapping[float, Floats], targets: Targets, rows: Targets, link: Link) -> float:
    return min(logits, key=lambda c: calibrated_loss(logits[c][rows], targets[rows], link))
