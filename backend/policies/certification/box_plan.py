"""Plan an audit for the promise about boxes; `audit_plan.py` says how plans are compared.

The scores of the boxes are calibrated, so they say how many of an image's boxes are wrong; as many
true ones are taken to be missed, and at least as many as the score of the image says. Mistakes are
counted as Poisson variables. The expected growth of the capital (see `betting.py`) then tells how
likely the test is to pass, by a normal approximation.

How far one image may go bounds every bet, so images with many more boxes than the others make the
test weak for all: regions without them are tried as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import erf, log, sqrt
from typing import Self

import numpy as np

from backend.domain.arrays import Floats
from backend.domain.audits import AuditTerms
from backend.policies.certification.audit_plan import (
    LARGEST_PART,
    MISJUDGED,
    SAMPLES,
    advise,
    worth,
)
from backend.policies.certification.audit_price import AuditPlan
from backend.policies.certification.betting import CAP

CAPS = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Quantiles of the boxes of an image, to choose the most that an image of the region may have."""

SHARES = (0.3, 0.5, 0.7, 0.85)
"""Expected shares of wrong boxes in the regions to choose from, as parts of what is promised."""


@dataclass(frozen=True, slots=True)
class BoxChances:
    """What is expected of N images, in any order.

    Attributes:
        edit: (N,) calibrated probability that an image needs an edit.
        found: (N,) boxes that the version found.
        wrong: (N,) how many of them are expected to be wrong.
    """

    edit: Floats
    found: Floats
    wrong: Floats

    def ordered(self) -> tuple[Floats, Floats]:
        """Return (N,) expected mistakes and boxes found, the surest image first."""
        order = np.argsort(self.edit, kind="stable")
        return np.maximum(self.wrong, self.edit)[order], self.found[order]


def plan_boxes(images: BoxChances, labels: int, terms: AuditTerms, risk: float) -> AuditPlan:
    """Plan an audit now, or say how many labels more would bring a better one.

    Args:
        images: that might be accepted.
        labels: that taught the version.
        terms: of the promise.
        risk: that the test may spend.
    """
    edits, found = images.ordered()

    def best(more: int, factor: float) -> AuditPlan:
        left = len(edits) - more
        plans = _plans(edits[:left] * factor, found[:left], terms, risk)
        return max(plans, key=worth, default=AuditPlan())

    return advise(len(edits), labels, best)


def region_of(images: BoxChances, terms: AuditTerms) -> tuple[int, int]:
    """Return size and cap of the region where the sample is given: the share that is usual."""
    edits, found = images.ordered()
    cap = int(np.quantile(found, CAPS[-2])) if len(found) else 0
    fits = found <= cap
    return _region_size(edits[fits], found[fits], terms.max_error * SHARES[2]), cap


def _plans(edits: Floats, found: Floats, terms: AuditTerms, risk: float) -> Iterator[AuditPlan]:
    """Yield what audits of several regions and samples are expected to bring."""
    for cap in np.unique(np.quantile(found, CAPS).astype(np.intp)) if len(found) else ():
        fits = found <= cap
        fit_edits, fit_found = edits[fits], found[fits]
        sizes = {_region_size(fit_edits, fit_found, terms.max_error * share) for share in SHARES}
        for size in sizes:
            region = _Moments.of(fit_edits[:size], fit_found[:size], terms.max_error)
            for sample in SAMPLES:
                if sample <= LARGEST_PART * size:
                    passes = _pass_chance(region, int(cap), sample, terms, risk)
                    accepted = round((size - sample) * passes)
                    yield AuditPlan(size, sample, accepted, accepted * region.wrong, cap=int(cap))


def _region_size(edits: Floats, found: Floats, share: float) -> int:
    """Return how many images hold at most this expected share of wrong boxes."""
    enough = np.cumsum(edits) <= share * np.cumsum(found)
    return int(np.flatnonzero(enough)[-1]) + 1 if enough.any() else 0


@dataclass(frozen=True, slots=True)
class _Moments:
    """Means over a region, for each image's expected edits and the expected excess (loss) of them.

    `wrong` is the share of images with an edit.
    """

    images: int
    edit: float
    loss: float
    edit_edit: float
    edit_loss: float
    loss_loss: float
    wrong: float

    @classmethod
    def of(cls, edits: Floats, found: Floats, max_error: float) -> Self:
        losses = edits - max_error * found
        products = edits, losses, edits * edits, edits * losses, losses * losses, 1 - np.exp(-edits)
        edit, loss, edit_edit, edit_loss, loss_loss, wrong = (
            float(np.mean(one)) if len(one) else 0.0 for one in products
        )
        return cls(len(edits), edit, loss, edit_edit, edit_loss, loss_loss, wrong)

    def misjudged(self, factor: float) -> tuple[float, float]:
        """Return mean and mean square of the excess if there are `factor` times as many edits."""
        more = factor - 1
        square = self.loss_loss + 2 * more * self.edit_loss + more**2 * self.edit_edit
        return self.loss + more * self.edit, square + factor * self.edit


def _pass_chance(region: _Moments, cap: int, sample: int, terms: AuditTerms, risk: float) -> float:
    """Return the probability that both tests of the region pass.

    Args:
        region: what is expected of it.
        cap: most boxes of an image.
        sample: images in the audit.
        terms: of the promise.
        risk: of the test.
    """
    part = sample / region.images
    # the sample's own mistakes are known, so the rest must be better than the promise says
    rest = -(1 - part) * log(1 - part) / part
    total = 0.0
    for factor, weight in MISJUDGED:
        excess, square = region.misjudged(factor)
        if excess < 0 < cap:
            gain, square = -excess / cap, square / cap**2
            bet = min(gain / square, CAP / (1 - terms.max_error))
            growth = sample * (bet * gain * rest - bet**2 * square / 2)
            total += weight * _normal_cdf((growth + log(risk)) / (bet * sqrt(sample * square))) ** 2
    return total


def _normal_cdf(value: float) -> float:
    return (1 + erf(value / sqrt(2))) / 2
