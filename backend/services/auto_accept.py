"""Certified auto-accept: test the model on the random lane, accept what the test vouches for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from backend.domain.answers import Choices, LabeledImage
from backend.domain.arrays import Targets
from backend.domain.errors import NotFound
from backend.domain.ids import ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Job
from backend.domain.schema import TaskKind
from backend.domain.versions import Acceptance, Certificate, Ledger
from backend.policies.certification.acceptance_test import Validation
from backend.policies.certification.certificates import (
    Said,
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
from backend.ports.label_studio import PredictionAcceptor
from backend.ports.stores import Ledgers
from backend.services.prediction.inference import ProjectPredictions


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be accepted and by which certificates, or why nothing may.

    `spent` leave the lane; `attempts` is how many tests were made; `more` how many further
    validation images would help.
    """

    reason: str
    certificates: tuple[Certificate, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    spent: frozenset[TaskId] = frozenset()
    attempts: int = 0
    more: int = 0


def judge(
    terms: Terms,
    kinds: Mapping[ControlName, TaskKind],
    truth: Mapping[TaskId, LabeledImage],
    audit: ProjectPredictions,
    pool: ProjectPredictions,
    labeled_since: ProjectPredictions,
) -> Verdict:
    """Test all labels together; where that fails, each label on its own, as a further attempt.

    A test that the scores alone say would fail is not made, so it costs no confidence.

    Args:
        terms: of the first of the two attempts.
        kinds: of the controls that were guessed.
        truth: what people said about the lane's images; nothing about one means no answer.
        lane: guesses on validation images that the models never saw.
        pool: guesses on the images that may be accepted.
        overtaken: guesses on those that people labeled since the lane was drawn.
    """
    rows = range(len(audit.images))
    right = np.array([_right(audit, row, truth) for row in rows], dtype=np.bool_)
    sample, attempts = Validation(audit.score, right, pool.score, labeled_since.score), 0
    if promising(sample, terms):
        attempts = 1
        if certificate := certify(sample, terms):
            every = (
                np.ones(len(pool.images), dtype=np.bool_),
                np.ones(len(right), dtype=np.bool_),
            )
            return _accepting([(certificate, *every)], audit, pool, attempts)
    if list(kinds.values()) == [TaskKind.SINGLE]:
        next_terms = replace(terms, attempt=terms.attempt + attempts)
        said, labels = _said(audit, pool, labeled_since)
        if promising_labels(sample, said, labels, next_terms):
            attempts += 1
            if by_label := _by_label(sample, said, labels, next_terms):
                return _accepting(by_label, audit, pool, attempts)
    return _nothing(sample, terms, attempts)


def _nothing(sample: Validation, terms: Terms, attempts: int) -> Verdict:
    """What to do instead; the size of the lane hangs on no validation label before a test."""
    if attempts:
        more = how_many_more(sample, terms) or 0
        return Verdict(too_few(sample, terms), attempts=attempts, more=more)
    if large_enough(sample, terms):
        return Verdict(
            "nothing accepted: the model is not sure enough of its answers to be tested yet; "
            "label on, so that it becomes better (no confidence was spent)"
        )
    more = (how_many_more(unseen(len(sample.pool)), terms) or 0) - len(sample.right)
    return Verdict(too_small(len(sample.right), max(1, more), terms), more=max(1, more))


@dataclass(frozen=True, slots=True)
class AutoAccept:
    """Makes annotations of what a verdict allows, and takes them back."""

    label_studio: PredictionAcceptor
    ledgers: Ledgers

    def carry_out(self, job: Job, version: VersionName, verdict: Verdict) -> int:
        """Accept, and remember it; how many annotations there are now.

        The attempt and the tasks are remembered before anything is accepted, so that a crash in
        between neither hides an attempt nor lets a machine's label pass for a person's.
        """
        project, tasks = job.request.project, verdict.tasks
        acceptance = Acceptance(version, tasks, (), verdict.certificates, spent=verdict.spent)
        self.ledgers.change(project, lambda ledger: _tested(ledger, job.id, verdict, acceptance))
        if not tasks:
            return 0
        made = tuple(self.label_studio.accept(project, version, tasks))
        done = replace(acceptance, annotations=made)
        self.ledgers.change(project, lambda ledger: _with(ledger, job.id, done))
        return len(made)

    def undo(self, project: ProjectId, job: JobId) -> int:
        """Take back what a job accepted; how many annotations there were.

        Raises:
            NotFound: when the job accepted nothing, or was undone before.
        """
        found = _standing(self.ledgers.load(project), job)
        if found is None:
            raise NotFound(f"job {job} accepted nothing that could be taken back")
        made = found.annotations or self.label_studio.untouched(project, found.tasks)
        self.label_studio.take_back(project, found.tasks, made)
        self.ledgers.change(project, lambda ledger: _undone(ledger, job, found))
        return len(made)

    def certified(self, project: ProjectId) -> Mapping[VersionName, Certificate]:
        """The first certificate of each version's newest acceptance that stands.

        A version's own card is written before its job accepts, and never again: it knows of no
        certificate that came later, by pre-labeling or because the version was kept.
        """
        made = self.ledgers.load(project).acceptances.values()
        return {
            one.version: one.certificates[0] for one in made if one.certificates and not one.undone
        }

    def standing(self, project: ProjectId, job: JobId) -> int:
        """How many annotations `undo` would take back, at most."""
        found = _standing(self.ledgers.load(project), job)
        return len(found.annotations or found.tasks) if found else 0


def _standing(ledger: Ledger, job: JobId) -> Acceptance | None:
    found = ledger.acceptances.get(job)
    return None if found is None or found.undone else found


def _tested(ledger: Ledger, job: JobId, verdict: Verdict, acceptance: Acceptance) -> Ledger:
    tested = replace(
        ledger, spent=ledger.spent | verdict.spent, attempts=ledger.attempts + verdict.attempts
    )
    return _with(tested, job, acceptance) if verdict.tasks else tested


def _undone(ledger: Ledger, job: JobId, found: Acceptance) -> Ledger:
    """The lane gets back what stood for the images that people get back."""
    back = replace(ledger, spent=ledger.spent - found.spent)
    return _with(back, job, replace(found, undone=True))


def _with(ledger: Ledger, job: JobId, acceptance: Acceptance) -> Ledger:
    return replace(ledger, acceptances={**ledger.acceptances, job: acceptance})


Region = tuple[Certificate, Targets, Targets]
"""A certificate with the images of the pool (N,) and of the lane (n,) that it speaks of."""


def _said(*parts: ProjectPredictions) -> tuple[Said, tuple[Label, ...]]:
    """The answers of lane, pool and overtaken images, and all labels that were answered."""
    answers = [_labels(part) for part in parts]
    names = tuple(dict.fromkeys(label for part in answers for label in part))
    place = {label: position for position, label in enumerate(names)}
    return Said(*(np.array([place[one] for one in part], dtype=np.intp) for part in answers)), names


def _by_label(
    sample: Validation, said: Said, labels: tuple[Label, ...], terms: Terms
) -> list[Region]:
    return [
        (certificate, said.pool == labels.index(label), said.sample == labels.index(label))
        for label, certificate in certify_labels(sample, said, labels, terms).items()
    ]


def _labels(predicted: ProjectPredictions) -> list[Label]:
    """The one label that each answer has; nothing is a label of its own."""
    (predictions,) = predicted.predictions.values()
    return [
        answer.labels[0] if isinstance(answer, Choices) and answer.labels else Label("")
        for answer in predictions.answers
    ]


def _accepting(
    regions: list[Region], audit: ProjectPredictions, pool: ProjectPredictions, attempts: int
) -> Verdict:
    inside = np.zeros(len(pool.images), dtype=np.bool_)
    gone = np.zeros(len(audit.images), dtype=np.bool_)
    for certificate, in_pool, in_audit in regions:
        inside |= in_pool & (pool.score.astype(np.float64) >= certificate.threshold)
        gone |= in_audit & ~stays(audit.score, certificate)
    return Verdict(
        " ".join(certificate.promise for certificate, _, _ in regions),
        tuple(certificate for certificate, _, _ in regions),
        _tasks(pool, inside),
        frozenset(_tasks(audit, gone)),
        attempts,
    )


def _tasks(predicted: ProjectPredictions, chosen: Targets) -> tuple[TaskId, ...]:
    return tuple(predicted.images.refs[int(row)].task for row in np.flatnonzero(chosen))


def _right(predicted: ProjectPredictions, row: int, truth: Mapping[TaskId, LabeledImage]) -> bool:
    """Whether every answer is what people said; where they gave none, it counts as wrong."""
    person = truth.get(predicted.images.refs[row].task)
    return person is not None and all(
        name in person.answers and is_right(predictions.answers[row], person.answers[name])
        for name, predictions in predicted.predictions.items()
    )
