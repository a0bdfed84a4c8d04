"""Certified auto-accept: test the model on the random lane, accept what the test vouches for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from backend.domain import (
    Acceptance,
    Certificate,
    Choice,
    ControlName,
    Job,
    JobId,
    Kind,
    Label,
    LabeledImage,
    ProjectId,
    TaskId,
    VersionName,
)
from backend.errors import NotFound
from backend.policies.certification import Terms, certify, certify_labels, stays
from backend.policies.correctness import is_right
from backend.policies.fixed_sequence import Flags, Validation
from backend.policies.validation_size import how_many_more, too_few
from backend.ports import LabelStudio, Ledgers
from backend.services.labeling import Guessed


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be accepted and by which certificates, or why nothing may.

    `spent` leave the lane; `attempts` is how many tests were made; `more` how many further
    validation images would help.
    """

    because: str
    certificates: tuple[Certificate, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    spent: frozenset[TaskId] = frozenset()
    attempts: int = 0
    more: int = 0


def judge(
    terms: Terms,
    kinds: Mapping[ControlName, Kind],
    truth: Mapping[TaskId, LabeledImage],
    lane: Guessed,
    pool: Guessed,
) -> Verdict:
    """Test all labels together; where that fails, each label on its own, as a further attempt.

    Args:
        terms: of the first of the two attempts.
        kinds: of the controls that were guessed.
        truth: what people said about the lane's images.
        lane: guesses on validation images that the models never saw.
        pool: guesses on the images that may be accepted.
    """
    rows = range(len(lane.pictures))
    right = np.array([_right(lane, row, truth) for row in rows], dtype=np.bool_)
    sample = Validation(lane.score, right, pool.score)
    if certificate := certify(sample, terms):
        every = np.ones(len(pool.pictures), dtype=np.bool_), np.ones(len(right), dtype=np.bool_)
        return _accepting([(certificate, *every)], lane, pool, attempts=1)
    if set(kinds.values()) != {Kind.SINGLE} or len(kinds) > 1:
        return Verdict(too_few(sample, terms), attempts=1, more=how_many_more(sample, terms) or 0)
    by_label = _by_label(sample, lane, pool, replace(terms, attempt=terms.attempt + 1))
    if by_label:
        return _accepting(by_label, lane, pool, attempts=2)
    return Verdict(too_few(sample, terms), attempts=2, more=how_many_more(sample, terms) or 0)


@dataclass(frozen=True, slots=True)
class AutoAccept:
    """Makes annotations of what a verdict allows, and takes them back."""

    label_studio: LabelStudio
    ledgers: Ledgers

    def carry_out(self, job: Job, version: VersionName, verdict: Verdict) -> int:
        """Accept, and remember it; how many annotations there are now.

        The attempt and the tasks are remembered before anything is accepted, so that a crash in
        between neither hides an attempt nor lets a machine's label pass for a person's.
        """
        project = job.request.project
        ledger = self.ledgers.load(project)
        acceptance = Acceptance(version, verdict.tasks, (), verdict.certificates)
        ledger = replace(
            ledger,
            spent=ledger.spent | verdict.spent,
            attempts=ledger.attempts + verdict.attempts,
            acceptances={**ledger.acceptances, **({job.id: acceptance} if verdict.tasks else {})},
        )
        self.ledgers.save(project, ledger)
        if not verdict.tasks:
            return 0
        made = tuple(self.label_studio.accept(project, version, verdict.tasks))
        acceptances = {**ledger.acceptances, job.id: replace(acceptance, annotations=made)}
        self.ledgers.save(project, replace(ledger, acceptances=acceptances))
        return len(made)

    def undo(self, project: ProjectId, job: JobId) -> int:
        """Take back what a job accepted; how many annotations there were.

        Raises:
            NotFound: when the job accepted nothing, or was undone before.
        """
        ledger = self.ledgers.load(project)
        found = ledger.acceptances.get(job)
        if found is None or found.undone:
            raise NotFound(f"job {job} accepted nothing that could be taken back")
        self.label_studio.take_back(found.annotations)
        acceptances = {**ledger.acceptances, job: replace(found, undone=True)}
        self.ledgers.save(project, replace(ledger, acceptances=acceptances))
        return len(found.annotations)


Region = tuple[Certificate, Flags, Flags]
"""A certificate with the images of the pool (N,) and of the lane (n,) that it speaks of."""


def _by_label(sample: Validation, lane: Guessed, pool: Guessed, terms: Terms) -> list[Region]:
    said, possible = _labels(lane), _labels(pool)
    names = tuple(dict.fromkeys((*said, *possible)))
    column = {label: k for k, label in enumerate(names)}
    answers = np.array([column[label] for label in said], dtype=np.intp)
    pool_answers = np.array([column[label] for label in possible], dtype=np.intp)
    certificates = certify_labels(sample, answers, pool_answers, names, terms)
    return [
        (certificate, pool_answers == column[label], answers == column[label])
        for label, certificate in certificates.items()
    ]


def _labels(guessed: Guessed) -> list[Label]:
    """The one label that each answer has; nothing is a label of its own."""
    (guesses,) = guessed.guesses.values()
    return [
        answer.labels[0] if isinstance(answer, Choice) and answer.labels else Label("")
        for answer in guesses.answers
    ]


def _accepting(regions: list[Region], lane: Guessed, pool: Guessed, attempts: int) -> Verdict:
    inside = np.zeros(len(pool.pictures), dtype=np.bool_)
    gone = np.zeros(len(lane.pictures), dtype=np.bool_)
    for certificate, in_pool, in_lane in regions:
        inside |= in_pool & (pool.score.astype(np.float64) >= certificate.threshold)
        gone |= in_lane & ~stays(lane.score, certificate)
    return Verdict(
        " ".join(certificate.promise for certificate, _, _ in regions),
        tuple(certificate for certificate, _, _ in regions),
        _tasks(pool, inside),
        frozenset(_tasks(lane, gone)),
        attempts,
    )


def _tasks(guessed: Guessed, chosen: Flags) -> tuple[TaskId, ...]:
    return tuple(guessed.pictures.refs[int(row)].task for row in np.flatnonzero(chosen))


def _right(guessed: Guessed, row: int, truth: Mapping[TaskId, LabeledImage]) -> bool:
    """Whether every answer is what people said; a control that they left open counts as wrong."""
    said = truth[guessed.pictures.refs[row].task].answers
    return all(
        name in said and is_right(guesses.answers[row], said[name])
        for name, guesses in guessed.guesses.items()
    )
