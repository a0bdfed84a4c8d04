"""Which labels may be accepted unseen, with an error rate that statistics guarantee."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.arrays import Floats, Targets
from backend.domain.ids import Label
from backend.domain.versions import Certificate
from backend.policies.certification.acceptance_test import Stop, Validation, stops, walk

FIRST_ATTEMPT = 0.75
"""Share of the remaining confidence budget that each attempt spends."""

POISSON_MEDIAN = 2 / 3
"""A Poisson number is k or less in half of all cases while its mean is below k + 2/3, roughly."""

MODESTY = 2
"""A model may make half the mistakes that its scores claim: it learned from images that were chosen
because they were uncertain. Measured by `tests.bench.bench_labels_saved`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the user asked for, and how often it was tried before on this project.

    `max_error` in (0, 1) of the accepted labels; `confidence` in [0.5, 1) that the promise holds
    for all rounds of the project together; `attempt` counts from 1; `share` of an attempt's risk
    is what one of several tests made at once may spend.
    """

    max_error: float = 0.05
    confidence: float = 0.95
    attempt: int = 1
    assumption: str = ""
    share: float = 1.0

    @property
    def risk(self) -> float:
        """The chance of breaking the promise that this attempt may spend; sums to the whole."""
        left = (1 - FIRST_ATTEMPT) ** (self.attempt - 1)
        return (1 - self.confidence) * FIRST_ATTEMPT * left * self.share


@dataclass(frozen=True, slots=True)
class Said:
    """What the model answered to the images of a `Validation`, as the position of its label:

    to the validation images `sample` (n,), to the `pool` (N,), to those `labeled_since` (m,).
    """

    sample: NDArray[np.intp]
    pool: NDArray[np.intp]
    labeled_since: NDArray[np.intp]

    def part(self, validation: Validation, label: int) -> Validation:
        """Those that got this label."""
        return validation.take(
            self.sample == label, self.pool == label, self.labeled_since == label
        )


def certify(validation: Validation, terms: Terms) -> Certificate | None:
    """The loosest threshold that the validation sample vouches for; None where there is none."""
    passed = walk(validation, terms.max_error, terms.risk)
    return passed and _certificate(passed, len(validation.right), terms)


def certify_labels(
    validation: Validation, said: Said, labels: Sequence[Label], terms: Terms
) -> Mapping[Label, Certificate]:
    """A certificate for each label whose sample affords one; all hold at once (Bonferroni).

    `said` are positions in `labels`.
    """
    judged, shared = _sharing(said, labels, terms)
    certificates = dict[Label, Certificate]()
    for position in judged:
        part = said.part(validation, position)
        passed = walk(part, terms.max_error, shared.risk)
        if passed:
            label = labels[position]
            certificates[label] = _certificate(passed, len(part.right), terms, label)
    return certificates


def large_enough(validation: Validation, terms: Terms) -> bool:
    """Whether the sample is large enough for any test; with a perfect model it would pass."""
    return next(stops(validation, terms.max_error, terms.risk), None) is not None


def promising(validation: Validation, terms: Terms) -> bool:
    """Whether a test would rather pass than fail, going by what the scores claim.

    Looks at scores alone, so asking spends no confidence. The first threshold decides: where the
    mistakes expected lie below the bound, it passes in at least half of all cases.
    """
    first = next(stops(validation, terms.max_error, terms.risk), None)
    if first is None:
        return False
    above = validation.confidence.astype(np.float64) >= first.threshold
    expected = float(np.sum(1 - validation.confidence[above]))
    return expected / MODESTY <= first.max_mistakes + POISSON_MEDIAN


def promising_labels(
    validation: Validation, said: Said, labels: Sequence[Label], terms: Terms
) -> bool:
    """Whether that holds for a label that `certify_labels` would judge."""
    judged, shared = _sharing(said, labels, terms)
    return any(promising(said.part(validation, position), shared) for position in judged)


def stays(confidence: Floats, certificate: Certificate | None) -> Targets:
    """(n,) which validation images still stand for the unlabeled ones after an acceptance.

    Those within the accepted region leave the sample for good, as their like left the pool.
    """
    if certificate is None:
        return np.ones(len(confidence), dtype=np.bool_)
    return np.asarray(confidence, dtype=np.float64) < certificate.threshold


def _sharing(said: Said, labels: Sequence[Label], terms: Terms) -> tuple[list[int], Terms]:
    """As many labels as can share the risk, those with the largest samples, and what each may."""
    sizes = np.bincount(said.sample, minlength=len(labels))
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
