"""The region of an audit: its order, its blind sample and the prefixes that will be tested.

All three are fixed when the audit is drawn, before anyone has seen a label of the sample.
"""

from collections.abc import Sequence

import numpy as np

from backend.domain.arrays import Floats, Rows
from backend.domain.audits import AuditTerms, Promise
from backend.domain.ids import AuditId, TaskId
from backend.policies.certification.hypergeometric import most_mistakes
from backend.policies.certification.risk import share_of

START_SHARE, START_EXTRA = 0.4, 25
"""The first prefix of an `accepted` audit holds this share of the sample plus this many images.
An earlier start fails early, a later one accepts nothing where the model is weak."""


def ranked(scores: Floats, tasks: Sequence[TaskId]) -> Rows:
    """Return the rows from the highest score to the lowest; ties are ordered by task id."""
    return np.lexsort((np.array(tasks, dtype=np.int64), -scores.astype(np.float64)))


def rng_of(seed: int, audit: AuditId) -> np.random.Generator:
    """Return the random generator of one audit; the same seed draws the same sample again."""
    return np.random.default_rng([seed, audit])


def draw(region: int, count: int, rng: np.random.Generator) -> Rows:
    """Return `count` positions of the region, ascending: a uniform sample without replacement."""
    return np.sort(rng.choice(region, count, replace=False))


def stops(
    region: int, sample: Rows, terms: AuditTerms, risk: float, budget: int
) -> tuple[int, ...]:
    """Return the sizes of the prefixes to test, strict to loose.

    A prefix ends right before an audit image, or is the whole region. Given that position, the
    audit images inside are a uniform sample of the prefix. Prefixes that no sample could pass are
    left out. For the promise `accepted`, so are those that afford no more mistakes than the last
    one: testing them would only add chances to fail. For the promise `boxes` it is the region:
    part of the sample tells too little. Only sizes are used, so this spends no risk.

    Args:
        region: number of images in the region.
        sample: positions of the audit images, ascending.
        terms: of the promise.
        risk: that the test may spend.
        budget: mistakes that may remain among the accepted labels, for the promise `dataset`.
    """
    if not len(sample):
        return ()
    if terms.promise is Promise.BOXES:
        return (region,)
    sizes = np.append(sample[1:], region)
    sampled = np.arange(1, len(sample) + 1)
    allowed = np.full(len(sizes), max(budget, 0))
    if terms.promise is Promise.ACCEPTED:
        allowed = np.array([share_of(terms.max_error, int(size)) for size in sizes - sampled])
    limits = most_mistakes(sizes, sampled, allowed, risk)
    return tuple(sizes[tested_stops(sampled, limits, terms.promise)].tolist())


def tested_stops(sampled: Rows, limits: Rows, promise: Promise) -> Rows:
    """Return which of the prefixes to test.

    Args:
        sampled: audit images in each prefix, all of them in the last.
        limits: most mistakes among them that pass; -1 where none do.
        promise: tells where the walk starts.
    """
    if promise is Promise.DATASET:
        return np.flatnonzero(limits >= 0)
    late = np.flatnonzero(sampled >= START_SHARE * sampled[-1] + START_EXTRA)
    affords = limits[late]
    most = 0 if np.max(affords, initial=-1) > 0 else -1
    before = np.maximum.accumulate(np.concatenate([[most], affords]))[:-1]
    return late[affords > before]
