"""Certificates: which labels may be accepted unseen, with a guaranteed error rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.domain.versions import Certificate
from backend.policies.certification.acceptance_test import Stop, Validation, stops, walk

FIRST_ATTEMPT = 0.75
"""Share of the remaining risk that each attempt spends."""

POISSON_MEDIAN = 2 / 3
"""A Poisson variable of mean k + 2/3 has its median at about k."""

MODESTY = 2
"""A model makes about half the mistakes that its scores predict, because it was trained on images
chosen for their uncertainty. Measured by `tests.bench.bench_labels_saved`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the user asked for, and the number of this attempt on the project.

    Attributes:
        max_error: in (0, 1), of the accepted labels.
        confidence: in [0.5, 1), that the promise holds for all rounds of the project together.
        attempt: counts from 1.
        assumption: what the promise rests on besides, for its wording.
        share: of the attempt's risk that one of several simultaneous tests may spend.
    """

    max_error: float = 0.05
    confidence: float = 0.95
    attempt: int = 1
    assumption: str = ""
    share: float = 1.0

    @property
    def risk(self) -> float:
        """The error probability that this attempt may spend; all attempts sum to 1 - confidence."""
        left = (1 - FIRST_ATTEMPT) ** (self.attempt - 1)
        return (1 - self.confidence) * FIRST_ATTEMPT * left * self.share


@dataclass(frozen=True, slots=True)
class PredictedLabels:
    """The predicted labels of the images of a `Validation`, as positions in a list of labels.

    `sample` (n,), `pool` (N,) and `labeled_since` (m,) as there.
    """

    sample: NDArray[np.intp]
    pool: NDArray[np.intp]
    labeled_since: NDArray[np.intp]

    def part(self, validation: Validation, label: int) -> Validation:
        """Return the part of the validation with this predicted label."""
        return validation.take(
            self.sample == label, self.pool == label, self.labeled_since == label
        )


def certify(validation: Validation, terms: Terms) -> Certificate | None:
    """Certify the loosest threshold that passes the test; None if none does."""
    passed = walk(validation, terms.max_error, terms.risk)
    return passed and _certificate(passed, len(validation.right), terms)


def certify_labels(
    validation: Validation, predicted: PredictedLabels, labels: Sequence[Label], terms: Terms
) -> Mapping[Label, Certificate]:
    """Certify each label whose own sample passes; all certificates hold at once (Bonferroni).

    `predicted` holds positions in `labels`.
    """
    judged, shared = _sharing(predicted, labels, terms)
    certificates = dict[Label, Certificate]()
    for position in judged:
        part = predicted.part(validation, position)
        passed = walk(part, terms.max_error, shared.risk)
        if passed:
            label = labels[position]
            certificates[label] = _certificate(passed, len(part.right), terms, label)
    return certificates


def large_enough(validation: Validation, terms: Terms) -> bool:
    """Return whether the sample is large enough that a perfect model would pass."""
    return next(stops(validation, terms.max_error, terms.risk), None) is not None


def promising(validation: Validation, terms: Terms) -> bool:
    """Return whether the test is more likely to pass than to fail, judging by the scores.

    Only scores are used, so this spends no risk. The first threshold decides: if the expected
    mistakes are below the bound, it passes in at least half of all cases.
    """
    first = next(stops(validation, terms.max_error, terms.risk), None)
    if first is None:
        return False
    above = validation.confidence.astype(np.float64) >= first.threshold
    expected = float(np.sum(1 - validation.confidence[above]))
    return expected / MODESTY <= first.max_mistakes + POISSON_MEDIAN


def promising_labels(
    validation: Validation, predicted: PredictedLabels, labels: Sequence[Label], terms: Terms
) -> bool:
    """Return whether `promising` holds for any label that `certify_labels` would test."""
    judged, shared = _sharing(predicted, labels, terms)
    return any(promising(predicted.part(validation, position), shared) for position in judged)


def stays(confidence: Floats, certificate: Certificate | None) -> Targets:
    """Return (n,) which validation images still represent the pool after an acceptance.

    Images in the accepted region leave the sample for good, as similar ones left the pool.
    """
    if certificate is None:
        return np.ones(len(confidence), dtype=np.bool_)
    return np.asarray(confidence, dtype=np.float64) < certificate.threshold


def _sharing(
    predicted: PredictedLabels, labels: Sequence[Label], terms: Terms
) -> tuple[list[int], Terms]:
    """Return the labels to test, those of the largest samples, and the terms of each test."""
    sizes = np.bincount(predicted.sample, minlength=len(labels))
    largest = np.argsort(-sizes, kind="stable")
    for count in range(len(largest), 0, -1):
        if (1 - terms.max_error) ** sizes[largest[count - 1]] <= terms.risk / count:
            shared = replace(terms, share=terms.share / count)
            return sorted(map(int, largest[:count])), shared
    return [], terms


def _certificate(stop: Stop, sample: int, terms: Terms, label: Label | None = None) -> Certificate:
    what = "labels" if label is None else f"'{label}' labels"
    promise = (
        f"With {terms.confidence * 100:.4g} % confidence over all rounds of this project, at most "
        f"{terms.max_error * 100:.4g} % of the {stop.pool} {what} accepted at score "
        f"{stop.threshold:.4f} or more are wrong"
    )
    return Certificate(
        threshold=stop.threshold,
        error_rate=terms.max_error,
        confidence=terms.confidence,
        accepted=stop.accepted,
        mistakes=stop.mistakes,
        sample=sample,
        promise=f"{promise}, {terms.assumption}." if terms.assumption else f"{promise}.",
        assumption=terms.assumption,
        label=label,
    )
