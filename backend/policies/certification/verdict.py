"""Decide what may be accepted: all labels together, or else each label on its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain.answers import Choices, LabeledImage
from backend.domain.arrays import Targets
from backend.domain.batches import ProjectPredictions
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import TaskKind
from backend.domain.versions import Certificate
from backend.policies.certification.acceptance_test import Validation
from backend.policies.certification.certificates import (
    PredictedLabels,
    Terms,
    certify,
    certify_labels,
    large_enough,
    promising,
    promising_labels,
    stays,
)
from backend.policies.certification.correctness import is_right
from backend.policies.certification.sample_size import how_many_more, too_few, too_small, unseen

UNSURE = (
    "nothing accepted: the model is not sure enough of its answers to be tested yet; "
    "label more images, so that it becomes better (no confidence was spent)"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be accepted and by which certificates, or the reason why nothing may.

    `spent` leave the audit sample. `attempts` counts the tests made, each of which used up some
    confidence. `more` is the number of further validation images that would help.
    """

    reason: str
    certificates: tuple[Certificate, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    spent: frozenset[TaskId] = frozenset()
    attempts: int = 0
    more: int = 0


@dataclass(frozen=True, slots=True)
class AcceptanceData:
    """The predictions that an acceptance test needs.

    Attributes:
        audit: on validation images that the models never saw.
        pool: on images that may be accepted.
        labeled_since: on images that people chose to label after the audit sample was drawn.
        annotations: of people; a validation image without one was skipped.
    """

    audit: ProjectPredictions
    pool: ProjectPredictions
    labeled_since: ProjectPredictions
    annotations: Mapping[TaskId, LabeledImage]

    @property
    def validation(self) -> Validation:
        rows = range(len(self.audit.images))
        right = np.array([self._is_right(row) for row in rows], dtype=np.bool_)
        scores = self.audit.score, right, self.pool.score, self.labeled_since.score
        return Validation(*scores)

    def _is_right(self, row: int) -> bool:
        """Compare all answers with those of people; where they gave none, it counts as wrong."""
        human = self.annotations.get(self.audit.images.tasks[row])
        return human is not None and all(
            name in human.answers and is_right(batch.answers[row], human.answers[name])
            for name, batch in self.audit.predictions.items()
        )


@dataclass(frozen=True, slots=True)
class CertifiedRegion:
    """A certificate, and the rows of the pool (N,) and of the audit sample (n,) it is about."""

    certificate: Certificate
    pool: Targets
    audit: Targets


def judge(data: AcceptanceData, kinds: Mapping[ControlName, TaskKind], terms: Terms) -> Verdict:
    """Test all labels together; if that fails, each label on its own, as a further attempt.

    A test that would probably fail, going by the scores alone, is not made: it costs no confidence.

    Args:
        data: predictions of one version.
        kinds: of the controls that were predicted.
        terms: of the first attempt.
    """
    validation = data.validation
    pooled = _pooled(data, validation, terms)
    attempts = int(pooled is not None)
    if pooled:
        return _accept(pooled, data, attempts)
    if list(kinds.values()) == [TaskKind.SINGLE]:
        next_terms = replace(terms, attempt=terms.attempt + attempts)
        per_label = _per_label(data, validation, next_terms)
        attempts += int(per_label is not None)
        if per_label:
            return _accept(per_label, data, attempts)
    return _nothing(validation, terms, attempts)


def _pooled(
    data: AcceptanceData, validation: Validation, terms: Terms
) -> list[CertifiedRegion] | None:
    """Test all labels together; None where no test was made, empty where it failed."""
    if not promising(validation, terms):
        return None
    certificate = certify(validation, terms)
    if certificate is None:
        return []
    every = np.ones(len(data.pool.images), np.bool_), np.ones(len(data.audit.images), np.bool_)
    return [CertifiedRegion(certificate, *every)]


def _per_label(
    data: AcceptanceData, validation: Validation, terms: Terms
) -> list[CertifiedRegion] | None:
    """Test each label on its own; None where no test was made, empty where all failed."""
    answers = [_labels(part) for part in (data.audit, data.pool, data.labeled_since)]
    labels = tuple(dict.fromkeys(label for part in answers for label in part))
    predicted = PredictedLabels(
        *(np.array([labels.index(one) for one in part], np.intp) for part in answers)
    )
    if not promising_labels(validation, predicted, labels, terms):
        return None
    return [
        CertifiedRegion(
            certificate,
            predicted.pool == labels.index(label),
            predicted.sample == labels.index(label),
        )
        for label, certificate in certify_labels(validation, predicted, labels, terms).items()
    ]


def _labels(predicted: ProjectPredictions) -> list[Label]:
    """Return the one label of each answer; an empty answer counts as a label of its own."""
    (batch,) = predicted.predictions.values()
    return [
        answer.labels[0] if isinstance(answer, Choices) and answer.labels else Label("")
        for answer in batch.answers
    ]


def _accept(regions: Sequence[CertifiedRegion], data: AcceptanceData, attempts: int) -> Verdict:
    accepted = np.zeros(len(data.pool.images), dtype=np.bool_)
    spent = np.zeros(len(data.audit.images), dtype=np.bool_)
    for region in regions:
        sure = data.pool.score.astype(np.float64) >= region.certificate.threshold
        accepted |= region.pool & sure
        spent |= region.audit & ~stays(data.audit.score, region.certificate)
    return Verdict(
        " ".join(region.certificate.promise for region in regions),
        tuple(region.certificate for region in regions),
        _tasks(data.pool, accepted),
        frozenset(_tasks(data.audit, spent)),
        attempts,
    )


def _nothing(validation: Validation, terms: Terms, attempts: int) -> Verdict:
    """Say what to do instead.

    Before a test, the size of the sample may not depend on its labels: it would bias the test.
    """
    if attempts:
        more = how_many_more(validation, terms) or 0
        return Verdict(too_few(validation, terms), attempts=attempts, more=more)
    if large_enough(validation, terms):
        return Verdict(UNSURE)
    size = len(validation.right)
    more = max(1, (how_many_more(unseen(len(validation.pool)), terms) or 0) - size)
    return Verdict(too_small(size, more, terms), more=more)


def _tasks(predicted: ProjectPredictions, chosen: Targets) -> tuple[TaskId, ...]:
    tasks = predicted.images.tasks
    return tuple(tasks[int(row)] for row in np.flatnonzero(chosen))
