"""How precise the surest answers are, for each share of them."""

from dataclasses import dataclass

import numpy as np

from backend.domain.arrays import Floats, Targets

MOST_POINTS = 60
"""Points of a curve in a report."""


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Of the answers, the share `coverage` has a confidence of `threshold` or more.

    `precision` of these are right.
    """

    coverage: float
    precision: float
    threshold: float


def precision_coverage(confidence: Floats, right: Targets) -> tuple[CoveragePoint, ...]:
    """Return the curve, the surest answers first; equal confidences share a point.

    The complement of the risk-coverage curve (El-Yaniv & Wiener, JMLR 2010).

    Args:
        confidence: (n,).
        right: (n,).
    """
    order = np.argsort(-confidence, kind="stable")
    sure, correct = confidence[order], np.cumsum(right[order])
    ends = np.flatnonzero(np.append(sure[1:] < sure[:-1], [True][: len(sure)]))
    if len(ends) > MOST_POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, MOST_POINTS).round().astype(np.intp)]
    return tuple(
        CoveragePoint(
            float((end + 1) / len(sure)), float(correct[end] / (end + 1)), float(sure[end])
        )
        for end in map(int, ends)
    )
