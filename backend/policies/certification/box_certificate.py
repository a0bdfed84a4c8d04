"""The words of a certificate about boxes, and a check of its test.

The check shares no code with the test: it plays the bets one after the other, in plain Python.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Self

import numpy as np

from backend.domain.audits import Audit, BoxCount, CertificateFile, FrozenPrediction
from backend.domain.ids import TaskId
from backend.policies.certification.betting import CAP, PRIOR

_ROUNDING = 1e-9

Losses = tuple[float, float]
"""Excess of wrong and of missed boxes over what the promise allows."""


def sentence(
    audit: Audit, counts: Sequence[BoxCount], predictions: Sequence[FrozenPrediction]
) -> str:
    """Return the promise in words, without its full stop.

    Args:
        audit: as it was drawn.
        counts: of the boxes that people found in its sample and elsewhere.
        predictions: that were accepted.
    """
    share = f"{audit.terms.max_error * 100:.4g} %"
    boxes = sum(one.boxes for one in predictions)
    found = sum(audit.region[place].boxes for place in audit.sample)
    wrong, missed = _in_sample(audit, counts)
    return (
        f"With {audit.terms.confidence * 100:.4g} % confidence over all audits of this project, at "
        f"most {share} of the accepted boxes are wrong, and at most {share} of the true boxes of "
        f"those images are missed ({boxes:,} boxes on {len(predictions):,} images accepted; audit "
        f"of {len(audit.sample):,} random images: {wrong:,} of {found:,} boxes wrong, {missed:,} "
        f"missed; up to {audit.cap:,} missed boxes of one image count; a box is right where a "
        "person drew one of its label with an IoU of 0.5 or more; labels by people count as right)"
    )


def allowed(audit: Audit, predictions: Sequence[FrozenPrediction]) -> int:
    """Return how many of the accepted images may hold a mistake; see `box_losses`."""
    boxes = sum(one.boxes for one in predictions)
    error = Fraction(str(audit.terms.max_error))
    return min(len(predictions), floor(error * boxes) + floor(error / (1 - error) * boxes))


def malformed(file: CertificateFile) -> str:
    """Return what is wrong with the counts of a certificate; empty where nothing is."""
    region = {one.task: one for one in file.audit.region}
    sampled = {file.audit.region[place].task for place in file.audit.sample}
    if any(one.boxes > file.audit.cap for one in file.audit.region):
        return "an image of the region has more boxes than the cap allows"
    for one in file.boxes:
        if one.task not in sampled | set(file.left):
            return "boxes are counted in an image that no person labeled"
        if not (0 <= one.matched <= region[one.task].boxes and one.missed >= 0):
            return "more boxes are right than were found"
    counted = {one.task for one in file.boxes}
    faulty = {one.task for one in file.boxes if one.missed or one.matched < region[one.task].boxes}
    if set(file.mistakes) != (sampled & faulty) | (sampled - counted):
        return "the mistakes are not those of the boxes"
    if set(file.left_mistakes) != faulty - sampled:
        return "the mistakes of the images labeled since the draw are not those of the boxes"
    return ""


@dataclass(frozen=True, slots=True)
class BoxBets:
    """The test of a certificate, bet by bet.

    Attributes:
        order: positions of the audit images, in the order in which they are bet on.
        known: (wrong, missed) losses that are known at least, by position in the region.
        worst: losses of the audit images that are possible at most.
    """

    order: Sequence[int]
    known: Mapping[int, Losses]
    worst: Mapping[int, Losses]
    cap: int
    error: float
    risk: float

    @classmethod
    def of(cls, file: CertificateFile) -> Self:
        """Read what a certificate says about its boxes."""
        audit, error = file.audit, file.audit.terms.max_error
        places = {one.task: place for place, one in enumerate(audit.region)}
        given = dict[int, list[Losses]]()
        for one in file.boxes:
            place = places[one.task]
            given.setdefault(place, []).append(_losses(audit, place, one))
        known, worst = dict[int, Losses](), dict[int, Losses]()
        for place in (*audit.sample, *(places[task] for task in file.left)):
            found = audit.region[place].boxes
            wrong, missed = zip(*given.get(place, []), strict=True) if place in given else ((), ())
            known[place] = min(wrong, default=-error * found), min(missed, default=-error * found)
            worst[place] = (
                max(wrong, default=(1 - error) * found),
                max(missed, default=(1 - error) * audit.cap),
            )
        rng = np.random.default_rng([audit.seed, audit.id, 1])
        order = rng.permutation(np.array(audit.sample)).tolist()
        return cls(order, known, worst, audit.cap or 1, error, audit.risk)

    def passes(self, size: int) -> bool:
        """Return whether the capital of both bets reaches 1 / risk."""
        return all(self._wins(size, kind) for kind in (0, 1))

    def _wins(self, size: int, kind: int) -> bool:
        total = sum(losses[kind] for place, losses in self.known.items() if place < size)
        left, images = total / self.cap + self.error * size, size
        return any(
            capital * self.risk >= 1 - _ROUNDING
            for capital in self._capitals(left, images, [p for p in self.order if p < size], kind)
        )

    def _capitals(
        self, left: float, images: int, places: Sequence[int], kind: int
    ) -> Iterator[float]:
        """Yield the capital after each bet."""
        capital = 1.0
        gains, squares = PRIOR * self.error / 2, PRIOR * (self.error / 2) ** 2
        for place in places:
            value = self.worst[place][kind] / self.cap + self.error
            mean = left / images
            bet = min(max(gains, 0.0) / squares, CAP / max(1 - mean, 1 - CAP))
            capital *= 1 + bet * (mean - value) if mean >= 0 else 0.0
            yield capital
            gains, squares = gains + self.error - value, squares + (self.error - value) ** 2
            left, images = left - value, images - 1


def _losses(audit: Audit, place: int, count: BoxCount) -> Losses:
    error, found = audit.terms.max_error, audit.region[place].boxes
    missed = min(count.missed, audit.cap)
    return found - count.matched - error * found, missed - error * (count.matched + missed)


def _in_sample(audit: Audit, counts: Sequence[BoxCount]) -> tuple[int, int]:
    """Return the wrong and the missed boxes of the sample, by the strictest person."""
    given = dict[TaskId, list[BoxCount]]()
    for one in counts:
        given.setdefault(one.task, []).append(one)
    wrong = missed = 0
    for place in audit.sample:
        frozen = audit.region[place]
        own = given.get(frozen.task, [])
        wrong += frozen.boxes - min((one.matched for one in own), default=0)
        missed += max((one.missed for one in own), default=0)
    return wrong, missed
