"""The exact test of an audit: which prefix of its region may be accepted.

A prefix of j images holds m audit images, of which k were predicted wrong, and c images that
people labeled or deleted since the draw, of which h are known to have been predicted wrong. The
null hypothesis "more than A mistakes remain among the other j - m - c images" is rejected where
P(X <= k) <= risk for X hypergeometric with k + h + A + 1 wrong images in j and m drawn. Fewer
wrong images in the prefix would make so few mistakes in the sample more likely, so the boundary
case is the worst one.

Prefixes are tested from strict to loose until one fails, each with the whole risk (fixed-sequence
testing, Angelopoulos et al. 2021, arXiv 2110.01052). What people label or delete after the draw
neither moves the prefixes nor changes which images the sample stands for.

The promise `boxes` walks the same way with a test of its own, in `box_losses.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.arrays import Floats, Rows, Targets
from backend.domain.audits import Audit, BoxCount, Promise, StopTest
from backend.domain.ids import TaskId
from backend.policies.certification import box_losses
from backend.policies.certification.box_losses import BoxLosses
from backend.policies.certification.hypergeometric import cdf
from backend.policies.certification.risk import share_of


@dataclass(frozen=True, slots=True)
class AuditFindings:
    """What is known of the n images of the region, in its order.

    Attributes:
        sampled: whether it is an audit image.
        left: whether people labeled or deleted it since the draw; never an audit image.
        wrong: whether the frozen prediction of a sampled or left image is known to be wrong.
        boxes: what people found in them, for the promise `boxes`.
    """

    sampled: Targets
    left: Targets
    wrong: Targets
    boxes: tuple[BoxCount, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """The tests made, strict to loose; only the last can have failed."""

    tests: tuple[StopTest, ...]
    risk: float

    @property
    def passed(self) -> StopTest | None:
        """The loosest prefix that passed before the first failure."""
        return next((test for test in reversed(self.tests) if test.p_value <= self.risk), None)


def findings(
    audit: Audit, right: Mapping[TaskId, bool | None], boxes: Sequence[BoxCount] = ()
) -> AuditFindings:
    """Arrange what is known by position in the region.

    Args:
        audit: as it was drawn.
        right: for each task of the region that people answered or that is gone, whether its
            frozen prediction is right; None where that is not known, as after a deletion. An
            audit image counts as right only where people confirmed it blind: skipped, deleted and
            missing ones are wrong.
        boxes: what people found in these images, for the promise `boxes`.
    """
    tasks = [prediction.task for prediction in audit.region]
    sampled = np.zeros(len(tasks), dtype=np.bool_)
    sampled[list(audit.sample)] = True
    left = np.array([task in right for task in tasks], dtype=np.bool_) & ~sampled
    known_right = np.array([right.get(task) is True for task in tasks], dtype=np.bool_)
    known_wrong = np.array([right.get(task) is False for task in tasks], dtype=np.bool_)
    wrong = (sampled & ~known_right) | (left & known_wrong)
    return AuditFindings(sampled, left, wrong, tuple(boxes))


def judge(audit: Audit, found: AuditFindings, budget: int) -> AuditVerdict:
    """Test the frozen prefixes until one fails.

    Args:
        audit: as it was drawn.
        found: about its region.
        budget: mistakes that may remain among the accepted labels, for the promise `dataset`; it
            is negative where earlier labels already hold too many.
    """
    tests = list[StopTest]()
    for one in _tests(audit, found, budget):
        tests.append(one)
        if one.p_value > audit.risk:
            break
    return AuditVerdict(tuple(tests), audit.risk)


def accepted(found: AuditFindings, size: int) -> tuple[int, ...]:
    """Return the positions whose predictions become labels when the prefix of `size` passed."""
    free = ~found.sampled[:size] & ~found.left[:size]
    return tuple(np.flatnonzero(free).tolist())


def _tests(audit: Audit, found: AuditFindings, budget: int) -> Iterator[StopTest]:
    counted = (
        found.sampled,
        found.sampled & found.wrong,
        found.left,
        found.left & found.wrong,
    )
    totals = [np.concatenate([[0], np.cumsum(column)]) for column in counted]
    if audit.terms.promise is Promise.BOXES:
        yield from _box_tests(audit, found, totals)
        return
    sizes = np.array(audit.stops, dtype=np.intp)
    sampled, mistakes, left, left_mistakes = (total[sizes] for total in totals)
    allowed = np.full(len(sizes), budget)
    if audit.terms.promise is Promise.ACCEPTED:
        rest = (sizes - sampled - left).tolist()
        allowed = np.array([share_of(audit.terms.max_error, labels) for labels in rest])
    counts = sizes, sampled, mistakes, left, left_mistakes, allowed.astype(np.intp)
    rows = np.stack(counts, axis=1).tolist()
    for row, p_value in zip(rows, _p_values(*counts).tolist(), strict=True):
        size, audited, wrong, gone, gone_wrong, most = row
        yield StopTest(size, audited, wrong, gone, gone_wrong, most, p_value)


def _box_tests(audit: Audit, found: AuditFindings, totals: Sequence[Rows]) -> Iterator[StopTest]:
    losses = BoxLosses.of(audit, found.boxes)
    known = np.flatnonzero(found.sampled | found.left)
    for size in audit.stops:
        sampled, mistakes, left, left_mistakes = (int(total[size]) for total in totals)
        rows = accepted(found, size)
        boxes = sum(audit.region[row].boxes for row in rows)
        allowed = box_losses.images_that_may_be_wrong(audit.terms.max_error, len(rows), boxes)
        p_value = box_losses.p_value(audit, losses, known, size)
        yield StopTest(size, sampled, mistakes, left, left_mistakes, allowed, p_value)


def _p_values(
    sizes: Rows, sampled: Rows, mistakes: Rows, left: Rows, left_mistakes: Rows, allowed: Rows
) -> Floats:
    """Return the probabilities of so few mistakes in the sample if just too many remained."""
    wrong = mistakes + left_mistakes + np.maximum(allowed, 0) + 1
    tails = cdf(mistakes, sizes, wrong, sampled)
    all_may_be_wrong = sizes - sampled - left <= allowed
    return np.where(allowed < 0, 1.0, np.where(all_may_be_wrong, 0.0, tails))
