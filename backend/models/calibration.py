"""Calibrate confidences, so that eight in ten answers at 0.8 are right, and measure it.

Everything here is fitted on logits of images that the model was not trained on.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from backend.domain.arrays import Floats, Targets
from backend.models.link_functions import SIGMOID, SOFTMAX
from backend.models.optimizer import minimum

IMAGES_FOR_BIAS = 50
"""Images that every label needs before each label gets its own bias."""

LABEL_PRIOR = 5.0
"""Prior precision that ties a label's Platt fit to the fit of all labels together."""

# --- logits to calibrated logits ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calibration:
    """Map logits to calibrated logits: `slope * logits + offset`, both (K,)."""

    slope: Floats
    offset: Floats

    @classmethod
    def identity(cls, labels: int) -> Self:
        return cls(np.ones(labels), np.zeros(labels))

    def __call__(self, logits: Floats) -> Floats:
        return self.slope * logits + self.offset


def temperature(logits: Floats, targets: Targets) -> Calibration:
    """Fit one slope for all labels (temperature scaling, Guo et al. 2017).

    With IMAGES_FOR_BIAS images of every label, each label also gets a bias. A standard normal
    prior on the log of the slope and on each bias limits the influence of a few images.

    Args:
        logits: (n, K) of images not trained on.
        targets: (n, K), one true label a row.
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

    fitted = minimum(objective, np.zeros(1 + labels * with_bias))
    slope: Floats = np.full(labels, float(np.exp(fitted[0])))
    return Calibration(slope, fitted[1:] if with_bias else np.zeros(labels))


def platt(logits: Floats, targets: Targets) -> Calibration:
    """Fit a slope and offset for each label (Platt 1999), shrunk towards the pooled fit.

    Args:
        logits: (n, K) of images not trained on.
        targets: (n, K); a label with few images stays close to the pooled fit.
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
    """Fit slope and offset of a logistic curve under a Gaussian prior around `prior`.

    Damped Newton on two parameters: 2 ms for 1,000 images, where `minimum` takes 40 ms; a model
    of many labels fits thousands of these.
    """
    design = np.column_stack([logits, np.ones(len(logits))]).astype(np.float64)
    truth = hits.astype(np.float64)

    def loss(at: Floats) -> float:
        errors = SIGMOID.losses((design @ at)[:, None], truth[:, None]).sum()
        return float(errors + precision * ((at - prior) ** 2).sum() / 2)

    at = prior.astype(np.float64)
    for _ in range(50):
        probability = SIGMOID.probabilities(design @ at)
        gradient = design.T @ (probability - truth) + precision * (at - prior)
        weight = probability * (1 - probability)
        curvature = (design.T * weight) @ design + precision * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-9:
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-7:
            break
    return at


# --- one score to the probability of being right -----------------------------------------------


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """Map a raw score in (0, 1) to the probability that the answer is right; never decreasing."""

    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def of(cls, scores: Floats, correct: Targets) -> Self:
        """Fit Platt's curve on the score's logit; with few examples it stays near the score.

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
    """One point of a reliability plot: mean confidence and accuracy of `count` answers."""

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


def reliability(
    confidence: Floats, correct: Targets, bins: int = 10, equal_mass: bool = True
) -> tuple[Bin, ...]:
    """Return the non-empty bins of a reliability plot.

    With bins of equal width these are the points of scikit-learn's `calibration_curve`, which
    returns neither counts nor edges.

    Args:
        confidence: (n,).
        correct: (n,).
        bins: the most bins.
        equal_mass: equally many answers in each bin, which small samples need; otherwise bins of
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
    """Return the count-weighted mean gap between confidence and accuracy; NaN without answers."""
    if not len(confidence):
        return float("nan")
    points = reliability(confidence, correct, bins, equal_mass)
    gaps = [point.count * abs(point.confidence - point.accuracy) for point in points]
    return sum(gaps) / len(confidence)


def brier(probabilities: Floats, targets: Targets) -> float:
    """Return the squared error summed over labels, averaged over images (Brier 1950)."""
    if not len(probabilities):
        return float("nan")
    return float(((probabilities - targets) ** 2).sum(axis=1).mean())
