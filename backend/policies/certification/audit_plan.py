"""Plan an audit: how many images of which region to label, and what that will bring.

The calibrated chances of a mistake tell how far the test would go: the expected number of accepted
images is computed for several regions and samples, and the best pair is chosen after the labels of
the audit are charged. Only scores are used, so planning spends no risk.

Whatever the promise, what no audit accepts is labeled by hand. So labels given before the audit,
to the least sure images, are needed in any case and cost nothing here.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from backend.domain.arrays import Floats, Rows
from backend.domain.audits import AuditTerms, Promise
from backend.policies.certification.audit_price import AuditPlan
from backend.policies.certification.audit_region import tested_stops
from backend.policies.certification.hypergeometric import most_mistakes

SAMPLES = (30, 40, 60, 80, 100, 120, 150, 200, 250, 300, 400, 550, 750, 1000)
"""Sizes of the audit sample to choose from."""

LARGEST_PART = 1 / 3
"""A larger sample than this part of the region eats what it certifies."""

MISTAKES = {
    Promise.DATASET: (0.7, 0.9, 1.1),
    Promise.ACCEPTED: (0.3, 0.5, 0.7, 1.0),
}
"""Expected mistakes of the regions to choose from, as multiples of what the promise allows."""

AUDIT_CHARGE = 0.25
"""What one label of the audit counts in accepted labels. A data set that is finished by hand needs
the label anyway, unless another audit would have accepted the image, and it only teaches a little
less than a chosen one. On `clothing` with 300 labels, plans for the promise `dataset` with a charge
of 1, 0.5, 0.25 and 0 accept 42.7, 44.7, 45.9 and 45.5 % of all images."""

MISJUDGED = ((0.7, 0.25), (1.0, 0.5), (1.4, 0.25))
"""(factor, weight): calibration on a few hundred labels misjudges the mistakes among sure answers
by about this much, as they hold a handful of mistakes."""

LEARNING_POWER = 0.3
"""Mistakes fall as labels ** -0.3: measured 0.34, 0.23, 0.18 at 5, 20 and 60 labels a class on
`clothing` with EfficientNet-Lite0."""

MORE_LABELS = (1.25, 1.5, 2.0, 3.0)
"""Multiples of the labels at hand after which an audit is tried on paper."""

WORTH_WAITING = 1.02
"""Labeling on is advised where it brings this much more: those labels are needed anyway, and a
smaller gain is within what a plan can tell."""

MOST_STOPS = 60
"""Prefixes looked at in planning; the test itself has all of them."""


def plan(chances: Floats, labels: int, terms: AuditTerms, risk: float, budget: int) -> AuditPlan:
    """Plan an audit now, or say how many labels more would bring a better one.

    Args:
        chances: (N,) calibrated probability that each prediction is wrong, in any order.
        labels: that taught the version.
        terms: of the promise.
        risk: that the test may spend.
        budget: mistakes that may remain among the accepted labels, for the promise `dataset`.
    """
    ascending = np.sort(chances.astype(np.float64))

    def best(more: int, factor: float) -> AuditPlan:
        # the labels go to the images with the highest chance of a mistake
        return _best(ascending[: len(ascending) - more] * factor, terms, risk, budget)

    return advise(len(ascending), labels, best)


def advise(images: int, labels: int, best: Callable[[int, float], AuditPlan]) -> AuditPlan:
    """Return the best audit of now, or how many labels more would bring a better one.

    Args:
        images: that might be accepted.
        labels: that taught the version.
        best: returns the best plan after so many more labels of the least sure images, which
            multiply the chance of a mistake in the others by this factor.
    """
    now, later = best(0, 1.0), list[AuditPlan]()
    for factor in MORE_LABELS:
        more = round((factor - 1) * labels)
        if 0 < more < images:
            after = best(more, factor**-LEARNING_POWER)
            later.append(replace(after, more_labels=more, now=now.accepted))
    paying = (one for one in later if one.net > 0)
    found = max(paying, key=worth, default=now)
    least = WORTH_WAITING * worth(now) if now.net > 0 else 0.0
    return found if worth(found) > least else now


def worth(one: AuditPlan) -> float:
    """Return the accepted images less the charge of the audit's labels."""
    return one.accepted - AUDIT_CHARGE * one.sample


def region_size(chances: Floats, terms: AuditTerms, budget: int) -> int:
    """Return the size of the region where the sample is given: mistakes up to what is usual."""
    usual = {Promise.DATASET: 1.1, Promise.ACCEPTED: 0.7}
    expected, allowed = _expectation(np.sort(chances.astype(np.float64)), terms, budget)
    return int(np.searchsorted(expected, usual[terms.promise] * allowed, side="right"))


def _best(chances: Floats, terms: AuditTerms, risk: float, budget: int) -> AuditPlan:
    """Return the plan that accepts most after its labels are charged; if any, one that pays."""
    plans = (
        _expected(chances[:region], sample, terms, risk, budget)
        for region in _regions(chances, terms, budget)
        for sample in SAMPLES
        if sample <= LARGEST_PART * region
    )
    return max(plans, key=lambda one: (one.net > 0, worth(one)), default=AuditPlan())


def _regions(chances: Floats, terms: AuditTerms, budget: int) -> Iterator[int]:
    """Yield the sizes of the regions to choose from."""
    expected, allowed = _expectation(chances, terms, budget)
    limits = np.array(MISTAKES[terms.promise]) * allowed
    yield from np.unique(np.searchsorted(expected, limits, side="right")).tolist()


def _expectation(chances: Floats, terms: AuditTerms, budget: int) -> tuple[Floats, float]:
    """Return the mistakes expected in each region, and what is allowed, in the same unit."""
    expected = np.cumsum(chances)
    if terms.promise is Promise.DATASET:
        return expected, budget
    return expected / np.arange(1, len(chances) + 1), terms.max_error


def _expected(
    chances: Floats, sample: int, terms: AuditTerms, risk: float, budget: int
) -> AuditPlan:
    """Return what an audit of this region and sample is expected to bring."""
    sizes, sampled = _stops(len(chances), sample)
    allowed = np.full(len(sizes), budget)
    if terms.promise is Promise.ACCEPTED:
        allowed = np.floor(terms.max_error * (sizes - sampled)).astype(np.intp)
    limits = most_mistakes(sizes, sampled, allowed, risk)
    tested = tested_stops(sampled, limits, terms.promise)
    sizes, sampled, limits = sizes[tested], sampled[tested], limits[tested]
    if not len(sizes):
        return AuditPlan(len(chances), sample)
    totals = np.concatenate([[0.0], np.cumsum(chances)])
    means = np.diff(totals[sizes], prepend=0.0) / np.diff(sizes, prepend=0)
    reached = _reached(means, np.diff(sampled, prepend=0), limits)
    accepted = sizes - sampled
    wrong = totals[sizes] * accepted / sizes
    return AuditPlan(len(chances), sample, round(float(reached @ accepted)), float(reached @ wrong))


def _stops(region: int, sample: int) -> tuple[Rows, Rows]:
    """Return sizes and audit images of prefixes where the sample is spread evenly."""
    step = -(-sample // MOST_STOPS)
    sampled = np.arange(sample, 0, -step)[::-1]
    return sampled * region // sample, sampled


def _reached(chances: Floats, drawn: Rows, limits: Rows) -> Floats:
    """Return (s,) the probability that each of s stops is the last that passes.

    Args:
        chances: (s,) mean chance of a mistake between one stop and the next.
        drawn: (s,) audit images there.
        limits: (s,) most mistakes in all audit images so far that pass.
    """
    factors, weights = (np.array(column) for column in zip(*MISJUDGED, strict=True))
    mistakes = np.zeros((len(factors), int(limits.max()) + 2))
    mistakes[:, 0] = weights
    passed = list[float]()
    for chance, count, limit in zip(chances, drawn, limits, strict=True):
        wrong = np.minimum(factors * chance, 1.0)[:, None]
        for _ in range(int(count)):
            shifted = mistakes[:, :-1] * wrong
            mistakes *= 1 - wrong
            mistakes[:, 1:] += shifted
        mistakes[:, limit + 1 :] = 0.0
        passed.append(float(mistakes.sum()))
    return -np.diff(passed, append=0.0)
