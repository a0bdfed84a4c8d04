"""Audits of images with boxes: what a version found, what is true, and what people label."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.audits import (
    Audit,
    AuditTerms,
    BoxCount,
    CertificateFile,
    FrozenPrediction,
    Promise,
)
from backend.domain.geometry import Box
from backend.domain.ids import AuditId, ControlName, Label, ProjectId, TaskId, VersionName
from backend.policies.certification import audit_certificate, audit_verdict
from backend.policies.certification.audit_region import draw, rng_of, stops
from backend.policies.certification.audit_verdict import AuditFindings

BOX = Region(Box(0, 0, 0.5, 0.5), Label("cell"))


@dataclass
class BoxedImages:
    """Images of an audit, by position in its region.

    `found`, `wrong`, `missed`: boxes of each. `counts` holds what people found, by position;
    an empty tuple is an image that they skipped, deleted or labeled from its prediction.
    """

    found: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray
    audit: Audit
    counts: dict[int, tuple[BoxCount, ...]] = field(default_factory=dict)

    @property
    def free(self) -> np.ndarray:
        """Positions outside of the sample."""
        return np.setdiff1d(np.arange(len(self.found)), self.audit.sample)

    @property
    def edited(self) -> np.ndarray:
        """Whether each image needs an edit."""
        return (self.wrong > 0) | (self.missed > 0)

    def label(self, positions) -> None:
        """People label these images, and are right."""
        for at in map(int, positions):
            matched = int(self.found[at] - self.wrong[at])
            self.counts[at] = (BoxCount(TaskId(at), matched, int(self.missed[at])),)

    def spoil(self, positions) -> None:
        """People skip these images, delete them or label them from the prediction."""
        self.counts |= {int(at): () for at in positions}

    def findings(self) -> AuditFindings:
        sample = set(self.audit.sample)
        right: dict[TaskId, bool | None] = {}
        for at, given in self.counts.items():
            faulty = [one.missed > 0 or one.matched < self.found[at] for one in given]
            right[TaskId(at)] = not any(faulty) if given else False if at in sample else None
        boxes = [one for given in self.counts.values() for one in given]
        return audit_verdict.findings(self.audit, right, boxes)

    def finish(self) -> CertificateFile | None:
        found = self.findings()
        return audit_certificate.issue(
            self.audit, found, audit_verdict.judge(self.audit, found, 0), 0
        )

    def breaks(self, file: CertificateFile) -> bool:
        """Whether too many of the accepted boxes are wrong, or too many true ones missed."""
        rows = np.array([one.task for one in file.accepted])
        found, wrong = self.found[rows].sum(), self.wrong[rows].sum()
        missed = np.minimum(self.missed[rows], self.audit.cap).sum()
        error = self.audit.terms.max_error * (1 + 1e-12)
        return bool(wrong > error * found or missed > error * (found - wrong + missed))


def audited_boxes(
    found, wrong, missed, sample, max_error=0.1, risk=0.0375, seed=0, confidence=0.95
) -> BoxedImages:
    """Freeze these images as tasks 0 to n - 1, the surest first, and draw the sample."""
    n, terms = len(found), AuditTerms(Promise.BOXES, max_error, confidence)
    answers = [{ControlName("box"): Regions((BOX,) * int(count))} for count in found]
    region = tuple(
        FrozenPrediction(TaskId(at), 1 - at / (2 * n), answers[at], (10, 10)) for at in range(n)
    )
    positions = draw(n, sample, rng_of(seed, AuditId(1)))
    audit = Audit(
        id=AuditId(1),
        project=ProjectId(1),
        version=VersionName("al-0001-aaaa"),
        terms=terms,
        risk=risk,
        seed=seed,
        region=region,
        sample=tuple(positions.tolist()),
        budget=0,
        stops=stops(n, positions, terms, risk, 0),
        cap=int(np.max(found, initial=0)),
    )
    return BoxedImages(np.asarray(found), np.asarray(wrong), np.asarray(missed), audit)


def simulated_boxes(
    rng, images=120, sample=40, rate=0.2, max_error=0.2, risk=0.2, failing=0.0, boxes=4
) -> BoxedImages:
    """Boxes that err at this rate; in a share `failing` of the images everything is wrong."""
    found = 1 + rng.poisson(boxes - 1, images)
    often = np.where(rng.random(images) < failing, 1.0, rate)
    wrong, missed = rng.binomial(found, often), rng.binomial(found, often)
    seed = int(rng.integers(1 << 31))
    return audited_boxes(found, wrong, missed, sample, max_error, risk, seed, confidence=1 - risk)


def honest(images: BoxedImages, rng) -> None:
    images.label(images.audit.sample)


def confirms_what_is_right(images: BoxedImages, rng) -> None:
    honest(images, rng)
    right = images.free[~images.edited[images.free]]
    images.label(right[rng.random(len(right)) < 0.7])


def corrects_what_is_wrong(images: BoxedImages, rng) -> None:
    honest(images, rng)
    wrong = images.free[images.edited[images.free]]
    images.label(wrong[rng.random(len(wrong)) < 0.5])


def deletes_what_is_hard(images: BoxedImages, rng) -> None:
    honest(images, rng)
    worst = np.flatnonzero(images.wrong > 1)
    images.spoil(worst[rng.random(len(worst)) < 0.5])


def deletes_what_is_right(images: BoxedImages, rng) -> None:
    honest(images, rng)
    right = images.free[~images.edited[images.free]]
    images.spoil(right[rng.random(len(right)) < 0.5])


BOX_PEOPLE: tuple[Callable[[BoxedImages, np.random.Generator], None], ...] = (
    honest,
    confirms_what_is_right,
    corrects_what_is_wrong,
    deletes_what_is_hard,
    deletes_what_is_right,
)
