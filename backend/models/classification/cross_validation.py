"""Choose C by stratified cross-validation, then fit a linear head on all images.

The out-of-fold logits also serve calibration, label issues and the learning curve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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

RISES = 2
"""Losses in a row that are greater than the one before, after which no larger C is tried: these
take longest. On all data we tried the loss falls with C and then rises; not always with FEW."""

FEW = 100
"""With fewer images every C is tried, which takes no time."""

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
    count, later = (5, 0) if len(targets) <= MANY else (3, 2)
    throttled = ThrottledProgress(progress, len(C_VALUES) + later + 1)
    space = Space.of(features)
    folds = stratified(targets, count, seed)
    scored = scorable(targets, folds, link)
    tried = _Comparison(space.rows, targets, folds, scored, link, throttled)()
    c = min(tried, key=lambda c: tried[c].loss) if scored.any() else DEFAULT_STRENGTH
    throttled.next()
    found, every = tried[c], targets.astype(np.float32)
    head = logistic.fit(space.rows, every, link, c, found.head, throttled=throttled)
    return CrossValidated(
        head=space.back(head),
        link=link,
        c=c,
        out_of_fold=found.logits,
        folds=folds,
        scored=scored,
        calibration=calibrated(found.logits[scored], targets[scored], link),
        log_loss=found.loss,
        tried={c: one.loss for c, one in tried.items()},
    )


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


@dataclass(frozen=True, slots=True)
class _Strength:
    """What heads of one C came to: out-of-fold logits (n, K), the last head, the log loss."""

    logits: Floats
    head: Linear
    loss: float


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares values of C; its parts are those of `CrossValidated`, `rows` the features.

    A fit starts from the head of the next smaller C, never from that of another fold, which has
    seen the images left out of this one.
    """

    rows: Floats
    targets: Targets
    folds: NDArray[np.intp]
    scored: Targets
    link: Link
    throttled: ThrottledProgress

    def __call__(self) -> Mapping[float, _Strength]:
        """Return what was tried; with more than MANY images only what the first fold chose."""
        folds = range(int(self.folds.max()) + 1)
        if len(self.targets) <= MANY:
            rises = RISES if len(self.targets) >= FEW else len(C_VALUES)
            return self._tried(folds, self.scored, rises)
        tried = self._tried(folds[:1], self.folds == 0, 1)
        best = min(tried, key=lambda c: tried[c].loss)
        logits, head = tried[best].logits, tried[best].head
        for fold in folds[1:]:
            self.throttled.next()
            head = self._fit(fold, best, None, logits)
        return {best: _Strength(logits, head, self._loss(logits, self.scored))}

    def _tried(self, folds: range, compared: Targets, rises: int) -> Mapping[float, _Strength]:
        """Try larger and larger C, until the loss of the `compared` rows rose so many times."""
        tried, heads = dict[float, _Strength](), dict[int, Linear]()
        for c in C_VALUES:
            self.throttled.next()
            logits = np.zeros(self.targets.shape, dtype=np.float32)
            for fold in folds:
                heads[fold] = self._fit(fold, c, heads.get(fold), logits)
            tried[c] = _Strength(logits, heads[folds[-1]], self._loss(logits, compared))
            if _rose([one.loss for one in tried.values()], rises):
                break
        return tried

    def _fit(self, fold: int, c: float, start: Linear | None, logits: Floats) -> Linear:
        """Fit a head to the other folds, and set its logits of this one."""
        left_out = self.folds == fold
        learned = self.targets[~left_out].astype(np.float32)
        head = fit_known(self.rows[~left_out], learned, self.link, c, self.throttled, start)
        logits[left_out] = head.logits(self.rows[left_out])
        return head

    def _loss(self, logits: Floats, rows: Targets) -> float:
        return calibrated_loss(logits[rows], self.targets[rows], self.link)


def _rose(losses: Sequence[float], times: int) -> bool:
    """Whether each of the last so many losses is greater than the one before."""
    return len(losses) > times and all(
        before < after for before, after in pairwise(losses[-times - 1 :])
    )
