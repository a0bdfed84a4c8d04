"""Making a confidence of 0.8 mean right in 8 cases of 10, and measuring whether it does.

Everything here is fitted on logits of images that the model was not trained on.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from backend.domain.arrays import Floats, Targets
from backend.models.links import SIGMOID, SOFTMAX
from backend.models.optimizer import minimum

IMAGES_FOR_BIAS = 50
"""Images that every label needs before each gets a bias of its own."""

LABEL_PRIOR = 5.0
"""How firmly a label's Platt fit is held to that of all labels together (prior precision)."""

# --- logits to calibrated logits ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrated logits are `slope * logits + offset`; both (K,)."""

    slope: Floats
    offset: Floats

    @classmethod
    def identity(cls, labels: int) -> Self:
        return cls(np.ones(labels), np.zeros(labels))

    def __call__(self, logits: Floats) -> Floats:
        return self.slope * logits + self.offset


def temperature(logits: Floats, targets: Targets) -> Calibration:
    """One slope for all labels (temperature scaling, Guo et al. 2017), K biases if affordable.

    A standard normal prior on the log of the slope and on each bias keeps a handful of images
    from deciding much.

    Args:
        logits: (n, K) of images not trained on.
        flags: (n, K), one true label a row.
    """
    labels = logits.shape[1]
    with_bias = bool(len(targets)) and int(targets.sum(axis=0).min()) >= IMAGES_FOR_BIAS
    return _scaled(logits, targets, with_bias) if labels > 1 else Calibration.identity(labels)


def _scaled(logits: Floats, targets: Targets, with_bias: bool) -> Calibration:
    labels, truth = logits.shape[1], targets.astype(np.float64)

    def objective(parameters: Floats) -> tuple[float, Floats]:
        slope, bias = np.exp(parameters[0]), parameters[1:] if with_bias else 0.0
        calibrated = slope * logits + bias
        pull = SOFTMAX.probabilities(calibrated) - truth
        loss = float(SOFTMAX.losses(calibrated, truth).sum() + (parameters**2).sum() / 2)
        gradient = np.array([slope * float((pull * logits).sum()), *pull.sum(axis=0)])
        return loss, gradient[: len(parameters)] + parameters

    found = minimum(objective, np.zeros(1 + labels * with_bias))
    slope: Floats = np.full(labels, float(np.exp(found[0])))
    return Calibration(slope, found[1:] if with_bias else np.zeros(labels))


def platt(logits: Floats, targets: Targets) -> Calibration:
    """A slope and offset for each label (Platt 1999), drawn towards that of all labels together.

    Args:
        logits, flags: (n, K); a label with few images keeps close to the pooled fit.
    """
    labels = logits.shape[1]
    if not logits.size:
        return Calibration.identity(labels)
    pooled = _sigmoid_fit(logits.ravel(), targets.ravel(), np.array([1.0, 0.0]), 1.0)
    fits = [
        _sigmoid_fit(logits[:, column], targets[:, column], pooled, LABEL_PRIOR)
        for column in range(labels)
    ]
    slope, offset = np.array(fits).T
    return Calibration(slope, offset)


def _sigmoid_fit(logits: Floats, hits: Targets, prior: Floats, precision: float) -> Floats:
    """Slope and offset by Newton's method, under a Gaussian prior about `prior`."""
    design = np.column_stack([logits, np.ones(len(logits))]).astype(np.float64)
    truth = hits.astype(np.float64)

    def loss(at: Floats) -> float:
        errors = SIGMOID.losses((design @ at)[:, None], truth[:, None]).sum()
        return float(errors + precision * ((at - prior) ** 2).sum() / 2)

    at = prior.astype(np.float64)
    for _ in range(50):
        chance = SIGMOID.probabilities(design @ at)
        gradient = design.T @ (chance - truth) + precision * (at - prior)
        curvature = (design.T * (chance * (1 - chance))) @ design + precision * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-9:
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-7:
            break
    return at


# --- one score to the chance of being right ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """A raw score in (0, 1) to the probability that the answer is right, never decreasing."""

    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def of(cls, scores: Floats, correct: Targets) -> Self:
        """Platt's fit on the score's logit; with few examples it stays near the score itself.

        Args:
            scores: (n,) in [0, 1], of answers not trained on.
            correct: (n,), whether the whole answer was right.
        """
        if not len(scores):
            return cls()
        slope, offset = _sigmoid_fit(_logit(scores), correct, np.array([1.0, 0.0]), 1.0)
        return cls(max(float(slope), 0.0), float(offset))

    def __call__(self, scores: Floats) -> Floats:
        return SIGMOID.probabilities(self.slope * _logit(scores) + self.offset)


def _logit(scores: Floats) -> Floats:
    inside = np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


# --- is it calibrated? -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bin:
    """One point of a reliability plot: mean confidence and share right of `count` answers."""

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


def reliability(
    confidence: Floats, correct: Targets, bins: int = 10, equal_mass: bool = True
) -> tuple[Bin, ...]:
    """The non-empty bins of a reliability plot.

    Args:
        confidence, correct: (n,).
        bins: at most so many.
        equal_mass: equally many answers a bin, which small samples need; otherwise bins of
            equal width over [0, 1], the more usual and noisier choice.
    """
    if equal_mass:
        groups = np.array_split(np.argsort(confidence, kind="stable"), bins)
    else:
        place = np.minimum((confidence * bins).astype(int), bins - 1)
        groups = [np.flatnonzero(place == number) for number in range(bins)]
    return tuple(_bin(confidence[rows], correct[rows]) for rows in groups if len(rows))


def _bin(confidence: Floats, correct: Targets) -> Bin:
    return Bin(
        float(confidence.min()),
        float(confidence.max()),
        float(confidence.mean()),
        float(correct.mean()),
        len(confidence),
    )


def expected_calibration_error(
    confidence: Floats, correct: Targets, bins: int = 10, equal_mass: bool = True
) -> float:
    """Mean gap between confidence and accuracy over the bins, weighted by count; nan if empty."""
    if not len(confidence):
        return float("nan")
    found = reliability(confidence, correct, bins, equal_mass)
    gaps = [point.count * abs(point.confidence - point.accuracy) for point in found]
    return sum(gaps) / len(confidence)


def brier(probabilities: Floats, targets: Targets) -> float:
    """Squared distance from truth, summed over labels, mean over images (Brier 1950)."""
    if not len(probabilities):
        return float("nan")
    return float(((probabilities - targets) ** 2).sum(axis=1).mean())
