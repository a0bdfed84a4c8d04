"""Regularised logistic regression on frozen features, with softmax or sigmoid.

The objective is scikit-learn's, `c * sum of losses + |W|^2 / 2` with an unpenalised bias, so `c`
means the same. Targets may be soft. It is fast for four reasons: features are centred, which the
bias makes exact; the problem is solved in the principal axes of the features, of which there are at
most as many as images, exact for this penalty (representer theorem); each axis is scaled by its
curvature at the start, without which axes of little variance take hundreds of iterations; and a fit
may start from the result of another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from backend.domain.arrays import Floats, to_float32
from backend.models.link_functions import Link
from backend.models.optimizer import minimum

_NOTHING = 1e-6
"""Share of the largest variance below which an axis holds rounding errors."""

ROWS = 4096
"""Rows held in float32 at a time."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear head: `weights` (d, K) and `bias` (K,), float32."""

    weights: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Return (n, K) float32 logits, in chunks, since float16 features double in size."""
        rows = np.empty((len(features), len(self.bias)), dtype=np.float32)
        for start in range(0, len(features), ROWS):
            part = slice(start, start + ROWS)
            rows[part] = to_float32(features[part]) @ self.weights + self.bias
        return rows


@dataclass(frozen=True, slots=True)
class Space:
    """Coordinates of the training images in their principal axes, and the way back to features.

    `rows` (n, r) float32, centred; `basis` (d, r) with orthonormal columns.
    """

    rows: Floats
    mean: Floats
    basis: Floats

    @classmethod
    def of(cls, features: Floats) -> Self:
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows = features.astype(np.float32)
        rows -= mean
        if len(rows) >= rows.shape[1]:
            values, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
            basis = axes[:, values > _NOTHING * max(values.max(), _NOTHING)].astype(np.float32)
            return cls(rows @ basis, mean, basis)
        values, vectors = np.linalg.eigh(rows.astype(np.float64) @ rows.T)
        kept = values > _NOTHING * max(values.max(), _NOTHING)
        scale = np.sqrt(values[kept])
        basis = (rows.T @ (vectors[:, kept] / scale)).astype(np.float32)
        return cls((vectors[:, kept] * scale).astype(np.float32), mean, basis)

    def back(self, head: Linear) -> Linear:
        """Convert a head on `rows` to one on plain features."""
        weights = self.basis @ head.weights
        return Linear(weights, head.bias - self.mean @ weights)


def fit(
    rows: Floats,
    targets: Floats,
    link: Link,
    c: float,
    start: Linear | None = None,
    importance: Floats | None = None,
    tolerance: float = 1e-4,
    throttled: Callable[[], None] | None = None,
) -> Linear:
    """Return the head of the least regularised loss.

    Args:
        rows: (n, r), centred and uncorrelated for fast convergence.
        targets: (n, K) in [0, 1]; with softmax each row sums to 1.
        link: softmax or sigmoid.
        c: inverse strength of the penalty, as in scikit-learn.
        start: the head to start from; zero by default.
        importance: (n,) weight of each row's loss, 1 by default.
        tolerance: stop when no gradient entry of the mean loss by a scaled weight exceeds a tenth
            of this, times the root of the mean frequency of a label: half the squared gradient is
            about what is left to gain, and it shrinks with the number of labels.
        throttled: called once an iteration; an exception it raises ends the search.
    """
    shape = (rows.shape[1] + 1, targets.shape[1])
    weighing = np.ones(len(rows), np.float32) if importance is None else importance
    start = start or Linear(np.zeros((shape[0] - 1, shape[1])), np.zeros(shape[1]))
    frequency = min(max(float(targets.mean()), 1e-6), 1 - 1e-6)
    scale = _scale(rows, weighing, c, frequency)
    first = (np.vstack([start.weights, start.bias]) / scale).astype(np.float64).ravel()
    objective = _Objective(rows, targets.astype(np.float32), link, c, weighing, scale)
    enough = tolerance / 10 * frequency**0.5
    found = minimum(objective, first, enough, throttled).reshape(shape) * scale
    weights, bias = found[:-1].astype(np.float32), found[-1].astype(np.float32)
    return Linear(weights, bias)


def _scale(rows: Floats, importance: Floats, c: float, frequency: float) -> Floats:
    """Return (r + 1, 1), the inverse root of the objective's curvature by weights and by bias.

    Labels count as equally frequent, and predictions as the frequencies.
    """
    spread = frequency * (1 - frequency)
    total = max(float(importance.sum()), 1e-12)
    variance = importance @ rows**2 / total
    curvature = np.append(spread * variance + 1 / (c * total), spread)
    return 1 / np.sqrt(curvature.astype(np.float64))[:, None]


@dataclass(frozen=True, slots=True)
class _Objective:
    """Return loss and gradient, both divided by `c * sum of importance`, in chunks of rows.

    The argument are weights and bias divided by `scale`.
    """

    rows: Floats
    targets: Floats
    link: Link
    c: float
    importance: Floats
    scale: Floats

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        head = flat.reshape(-1, self.targets.shape[1]) * self.scale
        weights, bias = head[:-1].astype(np.float32), head[-1].astype(np.float32)
        total, gradient = 0.0, np.zeros_like(head)
        for start in range(0, len(self.rows), ROWS):
            part = slice(start, start + ROWS)
            logits = self.rows[part] @ weights + bias
            weighing, truth = self.importance[part], self.targets[part]
            total += float(weighing @ self.link.losses(logits, truth))
            pull = (self.link.probabilities(logits) - truth) * weighing[:, None]
            gradient[:-1] += self.rows[part].T @ pull
            gradient[-1] += pull.sum(axis=0)
        scale = 1 / max(float(self.importance.sum()), 1e-12)
        penalty = scale / self.c
        gradient *= scale
        gradient[:-1] += penalty * head[:-1]
        gradient *= self.scale
        return total * scale + penalty * float((head[:-1] ** 2).sum()) / 2, gradient.ravel()
