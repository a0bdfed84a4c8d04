"""Certificates of audits: issue one for a test that passed, and check one with exact arithmetic.

The check shares no code with the test: it counts in whole numbers what `scipy.stats.hypergeom.cdf`
approximates, so a fault in one does not hide in the other.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, floor
from typing import Self

import numpy as np

from backend.domain.arrays import Targets
from backend.domain.audits import (
    Audit,
    AuditCertificate,
    BoxCount,
    CertificateFile,
    FrozenPrediction,
    Promise,
)
from backend.domain.ids import TaskId
from backend.policies.certification import box_certificate
from backend.policies.certification.audit_region import draw, rng_of, stops
from backend.policies.certification.audit_verdict import AuditFindings, AuditVerdict, accepted
from backend.policies.certification.box_certificate import BoxBets

_ROUNDING = Fraction(1, 10**9)


def issue(
    audit: Audit, found: AuditFindings, verdict: AuditVerdict, budget: int
) -> CertificateFile | None:
    """Return the certificate of what the verdict accepts; None where that is nothing."""
    passed = verdict.passed
    if passed is None or not passed.accepted:
        return None
    tasks = [prediction.task for prediction in audit.region]

    def chosen(rows: Targets) -> tuple[TaskId, ...]:
        return tuple(task for task, row in zip(tasks, rows.tolist(), strict=True) if row)

    mistakes = chosen(found.sampled & found.wrong)
    predictions = tuple(audit.region[row] for row in accepted(found, passed.size))
    return CertificateFile(
        certificate=_certificate(
            audit, passed.size, predictions, len(mistakes), passed.allowed, found.boxes
        ),
        audit=audit,
        budget=budget if audit.terms.promise is Promise.DATASET else None,
        mistakes=mistakes,
        left=chosen(found.left),
        left_mistakes=chosen(found.left & found.wrong),
        accepted=predictions,
        boxes=found.boxes,
    )


def problems(file: CertificateFile) -> tuple[str, ...]:
    """Return what does not hold in a certificate; nothing where it holds."""
    return tuple(_problems(file))


STATED = ", assuming that the labeled {items} are a random sample of all, as was stated"


def sentence(audit: Audit, accepted_labels: int, allowed: int, mistakes: int) -> str:
    """Return the promise about images, or texts, in words; `mistakes` are all in the sample."""
    terms = audit.terms
    sure = f"With {terms.confidence * 100:.4g} % confidence over all audits of this project"
    share = f"{terms.max_error * 100:.4g} %"
    basis = (
        f"({accepted_labels:,} accepted, of which at most {allowed:,} are wrong; audit of "
        f"{len(audit.sample):,} random {audit.items.plural}, {mistakes:,} mistakes; labels by "
        "people count as right)"
    )
    if terms.promise is Promise.DATASET:
        what = "all labels of the finished project"
    else:
        what = "the accepted labels"
    return f"{sure}, at most {share} of {what} are wrong {basis}"


def _certificate(
    audit: Audit,
    size: int,
    predictions: Sequence[FrozenPrediction],
    mistakes: int,
    allowed: int,
    boxes: Sequence[BoxCount],
) -> AuditCertificate:
    if audit.terms.promise is Promise.BOXES:
        words = box_certificate.sentence(audit, boxes, predictions)
    else:
        words = sentence(audit, len(predictions), allowed, mistakes)
    stated = STATED.format(items=audit.items.plural) if audit.stated else ""
    return AuditCertificate(
        audit=audit.id,
        terms=audit.terms,
        accepted=len(predictions),
        threshold=audit.region[size - 1].score,
        region=len(audit.region),
        audited=len(audit.sample),
        mistakes=mistakes,
        allowed=allowed,
        risk=audit.risk,
        sentence=f"{words}{stated}.",
    )


def _problems(file: CertificateFile) -> Iterator[str]:
    if problem := _malformed(file):
        yield problem
        return
    audit = file.audit
    sample = np.array(audit.sample)
    rng = rng_of(audit.seed, audit.id)
    if not audit.stated and not np.array_equal(draw(len(audit.region), len(sample), rng), sample):
        yield "the audited tasks are not the ones that the seed draws"
    frozen = stops(len(audit.region), sample, audit.terms, audit.risk, audit.budget)
    if frozen != audit.stops:
        yield "the tested prefixes are not the ones that the draw fixes"
    if audit.risk > 1 - audit.terms.confidence + 1e-12:
        yield "the test spent more risk than the confidence leaves"
    yield from _wrong_ending(file)


def _malformed(file: CertificateFile) -> str:
    audit = file.audit
    tasks = [prediction.task for prediction in audit.region]
    scores = [prediction.score for prediction in audit.region]
    if len(set(tasks)) != len(tasks) or scores != sorted(scores, reverse=True):
        return "the region holds a task twice or is not ordered by score"
    if not audit.sample or not set(audit.sample) <= set(range(len(tasks))):
        return "the audited tasks are not in the region"
    sampled = {tasks[position] for position in audit.sample}
    left = set(file.left)
    if not set(file.mistakes) <= sampled or not set(file.left_mistakes) <= left:
        return "mistakes are listed that belong to no audited task and no labeled one"
    if not left <= set(tasks) - sampled:
        return "tasks are listed as labeled since the draw that the audit does not know"
    return box_certificate.malformed(file) if audit.terms.promise is Promise.BOXES else ""


def _wrong_ending(file: CertificateFile) -> Iterator[str]:
    """Walk the prefixes again and compare the end with what was accepted."""
    audit, counts, passed = file.audit, _Counts.of(file), 0
    about_boxes = audit.terms.promise is Promise.BOXES
    passes = BoxBets.of(file).passes if about_boxes else counts.passes
    for size in audit.stops:
        if not passes(size):
            break
        passed = size
    if not passed:
        yield "no prefix passes the test"
        return
    taken = {audit.region[position].task for position in audit.sample} | set(file.left)
    should = tuple(one for one in audit.region[:passed] if one.task not in taken)
    if file.accepted != should:
        yield "the accepted predictions are not the ones that the test allows"
    allowed = box_certificate.allowed(audit, should) if about_boxes else counts.allowed(len(should))
    if file.certificate != _certificate(
        audit, passed, should, len(file.mistakes), allowed, file.boxes
    ):
        yield "the certificate says something else than its test"


@dataclass(frozen=True, slots=True)
class _Counts:
    """Positions in the region, each list ascending, and what the promise allows."""

    sample: Sequence[int]
    mistakes: Sequence[int]
    left: Sequence[int]
    left_mistakes: Sequence[int]
    budget: int | None
    max_error: Fraction
    risk: Fraction

    @classmethod
    def of(cls, file: CertificateFile) -> Self:
        places = {one.task: position for position, one in enumerate(file.audit.region)}
        mistakes, left, left_mistakes = (
            sorted(places[task] for task in tasks)
            for tasks in (file.mistakes, file.left, file.left_mistakes)
        )
        error = Fraction(str(file.audit.terms.max_error))
        risk = Fraction(file.audit.risk) * (1 + _ROUNDING)
        return cls(file.audit.sample, mistakes, left, left_mistakes, file.budget, error, risk)

    def allowed(self, labels: int) -> int:
        return floor(self.max_error * labels) if self.budget is None else self.budget

    def passes(self, size: int) -> bool:
        """Return whether P(X <= k) <= risk, counted in whole numbers."""
        sampled, mistakes, left, left_mistakes = (
            bisect_left(column, size)
            for column in (self.sample, self.mistakes, self.left, self.left_mistakes)
        )
        allowed = self.allowed(size - sampled - left)
        if allowed < 0:
            return False
        wrong = mistakes + left_mistakes + allowed + 1
        if size - sampled - left <= allowed or wrong > size:
            return True
        right = size - wrong
        few = sum(comb(wrong, x) * comb(right, sampled - x) for x in range(mistakes + 1))
        return Fraction(few, comb(size, sampled)) <= self.risk
