"""A simulated project with audits: a model that errs, and people who may be adversaries."""

from dataclasses import dataclass, field

import numpy as np

from backend.domain.answers import Choices
from backend.domain.audits import (
    Audit,
    AuditTerms,
    CertificateFile,
    FrozenPrediction,
    Promise,
    RiskLedger,
)
from backend.domain.ids import AuditId, ControlName, Label, ProjectId, TaskId, VersionName
from backend.policies.certification import audit_certificate, audit_verdict, risk
from backend.policies.certification.audit_region import draw, ranked, rng_of, stops

ANSWERS = {ControlName("class"): Choices((Label("a"),))}


def drawn_audit(
    scores, sample, terms, number=1, tasks=None, risk_given=0.0375, budget=0, seed=0
) -> Audit:
    """Freeze these scores, of tasks 0 to n - 1 unless given, and draw the sample."""
    tasks = range(len(scores)) if tasks is None else tasks
    order = ranked(np.asarray(scores), tasks)
    region = tuple(
        FrozenPrediction(TaskId(int(tasks[row])), float(scores[row]), ANSWERS) for row in order
    )
    positions = draw(len(region), sample, rng_of(seed, AuditId(number)))
    frozen = stops(len(region), positions, terms, risk_given, budget)
    return Audit(
        AuditId(number),
        ProjectId(1),
        VersionName("al-0001-aaaa"),
        terms,
        risk_given,
        seed,
        region,
        tuple(positions.tolist()),
        budget,
        frozen,
    )


def a_certificate() -> CertificateFile:
    """A certificate of an audit in which every prediction was right."""
    audit = drawn_audit([0.9 - k / 1000 for k in range(200)], 60, AuditTerms(), budget=20)
    found = audit_verdict.findings(audit, {audit.region[k].task: True for k in audit.sample})
    file = audit_certificate.issue(audit, found, audit_verdict.judge(audit, found, 20), 20)
    assert file
    return file


@dataclass
class SimulatedProject:
    """Tasks are rows; `wrong` is whether the current version errs, `score` what it says."""

    rng: np.random.Generator
    terms: AuditTerms
    wrong: np.ndarray
    score: np.ndarray
    ledger: RiskLedger = field(default_factory=RiskLedger)
    audit: Audit | None = None
    broken: bool = False
    accepted_labels: int = 0
    certificates: list[CertificateFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = len(self.wrong)
        self.seed = int(self.rng.integers(1 << 31))
        self.exists = np.ones(size, dtype=bool)
        self.labeled = np.zeros(size, dtype=bool)
        self.accepted_by = np.zeros(size, dtype=int)
        self.accepted_wrong = np.zeros(size, dtype=bool)
        self.frozen_wrong = self.wrong.copy()
        self.blind: dict[int, bool | None] = {}

    @property
    def open(self) -> np.ndarray:
        """Rows that nobody has labeled."""
        return np.flatnonzero(self.exists & ~self.labeled & (self.accepted_by == 0))

    @property
    def sample(self) -> list[int]:
        """Audit images that wait for an answer."""
        if self.audit is None:
            return []
        rows = [int(self.audit.region[position].task) for position in self.audit.sample]
        return [row for row in rows if row not in self.blind and self.exists[row]]

    def label(self, rows) -> None:
        """People label images; audit images are left for `answer`."""
        free = np.setdiff1d(rows, self.sample)
        self.labeled[free] = True

    def delete(self, rows) -> None:
        self.exists[rows] = False

    def add(self, wrong, score) -> None:
        """Import tasks."""
        more = len(wrong)
        self.wrong = np.append(self.wrong, wrong)
        self.score = np.append(self.score, score)
        self.frozen_wrong = np.append(self.frozen_wrong, wrong)
        self.exists = np.append(self.exists, np.ones(more, dtype=bool))
        for name in ("labeled", "accepted_wrong"):
            setattr(self, name, np.append(getattr(self, name), np.zeros(more, dtype=bool)))
        self.accepted_by = np.append(self.accepted_by, np.zeros(more, dtype=int))

    def retrain(self) -> None:
        """A new version errs elsewhere and is right more often; an open audit keeps the old one."""
        better = self.wrong & (self.rng.random(len(self.wrong)) < 0.3)
        worse = ~self.wrong & (self.rng.random(len(self.wrong)) < 0.01)
        self.wrong = (self.wrong & ~better) | worse
        self.score = np.clip(self.score + self.rng.normal(0, 0.02, len(self.score)), 0, 1)

    def start(self, sample: int, expected: float = 1.1) -> bool:
        """Draw an audit among the surest images; False where none can be had."""
        if self.audit is not None or len(self.open) < sample:
            return False
        given = risk.risk_of_next_test(self.ledger, self.terms.confidence)
        budget = risk.budget(self.ledger, self.terms.max_error, int(self.exists.sum()))
        order = self.open[ranked(self.score[self.open], self.open)]
        expectation = np.cumsum(1 - self.score[order])
        limit = expected * budget
        if self.terms.promise is Promise.ACCEPTED:
            expectation /= np.arange(1, len(order) + 1)
            limit = 0.6 * expected * self.terms.max_error
        region = order[: max(int(np.searchsorted(expectation, limit)), min(sample * 2, len(order)))]
        if not given:
            return False
        number = len(self.ledger.records) + 1
        self.audit = drawn_audit(
            self.score[region],
            min(sample, len(region)),
            self.terms,
            number,
            region,
            given,
            budget,
            self.seed,
        )
        self.frozen_wrong, self.blind = self.wrong.copy(), {}
        return True

    def answer(self, rows, how: str = "blind") -> None:
        """Label audit images; `how` is `blind`, `skip` or `from prediction`."""
        for row in rows:
            self.blind[row] = None if how != "blind" else not self.frozen_wrong[row]
            self.labeled[row] = True

    def forget_label(self) -> None:
        """A label leaves the labeling config: predictions of it are wrong from now on."""
        gone = self.rng.random(len(self.wrong)) < 0.1
        self.wrong |= gone
        self.frozen_wrong |= gone

    def pay(self) -> None:
        """Record the risk of the open audit, as is done before its test."""
        assert self.audit is not None
        self.ledger = risk.spend(self.ledger, self.audit.id, self.audit.risk)

    def finish(self) -> CertificateFile | None:
        """Test the audit and accept; notes whether the promise is broken at that moment."""
        self.pay()
        audit, self.audit = self.audit, None
        assert audit is not None
        known: dict[TaskId, bool | None] = {}
        sampled = {audit.region[position].task for position in audit.sample}
        for one in audit.region:
            if one.task in sampled:
                known[one.task] = self.blind.get(one.task) if self.exists[one.task] else None
            elif not self.exists[one.task]:
                known[one.task] = None
            elif self.labeled[one.task]:
                known[one.task] = not self.frozen_wrong[one.task]
        found = audit_verdict.findings(audit, known)
        budget = risk.budget(self.ledger, self.terms.max_error, int(self.exists.sum()))
        file = audit_certificate.issue(
            audit, found, audit_verdict.judge(audit, found, budget), budget
        )
        if file is not None:
            self._accept(file)
        return file

    def _accept(self, file: CertificateFile) -> None:
        rows = np.array([one.task for one in file.accepted])
        self.ledger = risk.accept(self.ledger, file.audit.id, file.certificate.allowed)
        self.accepted_by[rows] = file.audit.id
        self.accepted_wrong[rows] = self.frozen_wrong[rows]
        self.accepted_labels += len(rows)
        self.certificates.append(file)
        labels, wrong = len(rows), int(self.frozen_wrong[rows].sum())
        if self.terms.promise is Promise.DATASET:
            labels, wrong = int(self.exists.sum()), int(self.accepted_wrong.sum())
        self.broken |= wrong > risk.share_of(self.terms.max_error, labels)

    def undo(self, number: int) -> None:
        """Take the labels back that one audit accepted."""
        rows = self.accepted_by == number
        self.accepted_by[rows], self.accepted_wrong[rows] = 0, False
        self.ledger = risk.undo(self.ledger, AuditId(number))


def scored(rng, size, ranking="calibrated"):
    """Whether the answers are wrong, and scores: calibrated, constant or ranking backwards."""
    score = rng.beta(4, 0.5, size)
    wrong = rng.random(size) >= score
    if ranking == "constant":
        return wrong, np.full(size, 0.97)
    if ranking == "backward":
        return wrong, 1 - 0.1 * score
    return wrong, score


def honest(project, sample):
    project.start(sample)


def confirms_what_is_right(project, sample):
    """Confirm most right answers between draw and test, and leave the wrong ones."""
    if project.start(sample):
        right = project.open[~project.frozen_wrong[project.open]]
        project.label(right[project.rng.random(len(right)) < 0.7])


def deletes_what_is_hard(project, sample):
    """Delete what the model gets wrong, audit images too, before they are labeled."""
    if project.start(sample):
        wrong = project.open[project.frozen_wrong[project.open]]
        project.delete(wrong[project.rng.random(len(wrong)) < 0.5])


def labels_from_predictions(project, sample):
    """Give the model's answer to the audit images it gets wrong."""
    if project.start(sample):
        wrong = [row for row in project.sample if project.frozen_wrong[row]]
        project.answer(wrong, "from prediction")


def undoes_and_accepts_again(project, sample):
    """Take back every acceptance and try again with what is left of the risk."""
    if project.certificates and project.rng.random() < 0.8:
        project.undo(project.certificates[-1].audit.id)
    project.start(sample)


def labels_what_is_wrong(project, sample):
    """Correct wrong answers of the region between draw and test."""
    if project.start(sample):
        wrong = project.open[project.frozen_wrong[project.open]]
        project.label(wrong[project.rng.random(len(wrong)) < 0.5])


PEOPLE = (
    honest,
    confirms_what_is_right,
    deletes_what_is_hard,
    labels_from_predictions,
    undoes_and_accepts_again,
    labels_what_is_wrong,
)


def live(rng, terms, people, ranking="calibrated", size=500, sample=90, rounds=3):
    """Return a project after several audits, with a retraining and an import in between."""
    project = SimulatedProject(rng, terms, *scored(rng, size, ranking))
    for _ in range(rounds):
        people(project, sample)
        if project.audit is not None:
            project.answer(project.sample)
            project.finish()
        project.retrain()
        project.add(*scored(rng, size // 5, ranking))
    return project
