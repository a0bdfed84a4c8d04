"""Link functions from logits to probabilities: softmax (one label) and sigmoid (any number)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.domain.arrays import Floats
from backend.domain.schema import TaskKind


@dataclass(frozen=True, slots=True)
class Link:
    """A link function of logits (n, K).

    `probabilities`: (n, K) in [0, 1]. `losses`: of logits and targets (n, K), the negative log
    likelihood of each row in nats, (n,), computed without overflow.
    """

    name: str
    probabilities: Callable[[Floats], Floats]
    losses: Callable[[Floats, Floats], Floats]


def _softmax(logits: Floats) -> Floats:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def _softmax_losses(logits: Floats, targets: Floats) -> Floats:
    top = logits.max(axis=1)
    spread = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return targets.sum(axis=1) * spread - (targets * logits).sum(axis=1)


def _sigmoid(logits: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _sigmoid_losses(logits: Floats, targets: Floats) -> Floats:
    return (np.logaddexp(0, logits) - targets * logits).sum(axis=1)


SOFTMAX = Link("softmax", _softmax, _softmax_losses)
"""Exactly one label an image; each row of targets sums to 1."""

SIGMOID = Link("sigmoid", _sigmoid, _sigmoid_losses)
"""Any number of labels, independent of each other."""


def link_of(kind: TaskKind) -> Link:
    """Return softmax for exclusive labels and sigmoid for all others."""
    return SOFTMAX if kind is TaskKind.SINGLE else SIGMOID
