"""Do audits keep their promise over three rounds of labeling, auditing and accepting?

Projects are drawn from real predictions (ImageNet, ImageNetV2). People label 300 images at random
(a fifth of a smaller project), and half as many before each later round; the scores are calibrated
on all labels so far, an audit is planned and made among what is left, and its labels join the
others. Beside it, with the same labels and regions, the lowest score whose audit images still look
good enough:

    python -m tests.bench.bench_audit_rounds
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from backend.domain.audits import AuditTerms, Promise, RiskLedger
from backend.domain.ids import AuditId
from backend.policies.certification import risk
from backend.policies.certification.audit_plan import plan
from backend.policies.certification.audit_price import AuditPlan
from backend.policies.certification.audit_region import draw
from tests.bench.bench_audit import ASKED, DATA, Scored, load, oracle, tested

ROUNDS = 3
SIZES, DRAWS = (500, 1000, 5000, 20_000), 400
"""Sizes of the projects, and how many are simulated of each."""

PLANNED = 20
"""As many projects follow the plans of one, since planning takes longer than all the rest."""

Rule = Callable[[np.ndarray, np.ndarray, AuditTerms, float, int], np.ndarray]
"""Returns positions of the region to accept, given which answers of it are wrong, the audit's
positions, terms, risk and budget."""


@dataclass
class Project:
    """Images are rows of `answers`; a pool larger than the data holds some several times."""

    answers: Scored
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.size = len(self.answers.right)
        self.labeled = np.zeros(self.size, dtype=bool)
        self.accepted = np.zeros(self.size, dtype=bool)
        self.ledger = RiskLedger()
        self.broken = False

    @property
    def open(self) -> np.ndarray:
        return np.flatnonzero(~self.labeled & ~self.accepted)

    def label(self, count: int) -> None:
        rows = self.open
        self.labeled[self.rng.permutation(rows)[:count]] = True

    def surest(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the open rows, surest first, and the calibrated chances that they are wrong."""
        confidence = self.answers.confidence
        odds = (np.log(confidence + 1e-6) - np.log(1 - confidence + 1e-6))[:, None]
        fitted = LogisticRegression().fit(odds[self.labeled], self.answers.right[self.labeled])
        chances = fitted.predict_proba(odds[self.open])[:, 0]
        order = np.argsort(chances, kind="stable")
        return self.open[order], chances[order]

    def accept(self, rows: np.ndarray, number: AuditId, allowed: int, promise: Promise) -> None:
        """Note whether a promise breaks at this moment."""
        wrong, labels = int(np.sum(~self.answers.right[rows])), len(rows)
        self.accepted[rows] = True
        self.ledger = risk.accept(self.ledger, number, allowed)
        if promise is Promise.DATASET:
            wrong, labels = int(np.sum(~self.answers.right[self.accepted])), self.size
        self.broken |= wrong > risk.share_of(ASKED, labels)


def by_threshold(
    wrong: np.ndarray, positions: np.ndarray, terms: AuditTerms, _given: float, left: int
) -> np.ndarray:
    """Accept down to the lowest score where the audit images still look good enough."""
    sampled = np.zeros(len(wrong), dtype=bool)
    sampled[positions] = True
    rate = np.cumsum(sampled & wrong) / np.maximum(np.cumsum(sampled), 1)
    rest = np.cumsum(~sampled)
    allowed = left if terms.promise is Promise.DATASET else terms.max_error * rest
    good = np.flatnonzero((rate * rest <= allowed) & (np.cumsum(sampled) > 0))
    end = int(good.max()) + 1 if len(good) else 0
    return np.flatnonzero(~sampled[:end])


def live(project: Project, terms: AuditTerms, rule: Rule, plans: dict[int, AuditPlan]) -> None:
    """Label, audit and accept ROUNDS times; `plans` holds what other such projects planned."""
    first = min(300, project.size // 5)
    for number in range(1, ROUNDS + 1):
        project.label(first if number == 1 else first // 2)
        given = risk.risk_of_next_test(project.ledger, terms.confidence)
        left = risk.budget(project.ledger, ASKED, project.size)
        if not given or len(project.open) < 2 or (terms.promise is Promise.DATASET and left <= 0):
            continue
        rows, chances = project.surest()
        if number not in plans:
            plans[number] = plan(chances, 0, terms, given, left)  # no label teaches these models
        planned = plans[number]
        if not planned.pays or planned.region > len(rows):
            continue
        region = rows[: planned.region]
        positions = draw(len(region), planned.sample, project.rng)
        project.ledger = risk.spend(project.ledger, AuditId(number), given)
        taken = region[rule(~project.answers.right[region], positions, terms, given, left)]
        project.labeled[region[positions]] = True
        if len(taken):
            allowed = left if terms.promise is Promise.DATASET else 0
            project.accept(taken, AuditId(number), allowed, terms.promise)


def cell(answers: Scored, size: int, terms: AuditTerms, rule: Rule) -> str:
    """Return the mean share accepted, and the share of projects in which a promise broke."""
    rng, plans, saved, broken = np.random.default_rng(size), dict[int, AuditPlan](), [], []
    for number in range(DRAWS):
        if number % PLANNED == 0:
            plans = {}
        rows = rng.choice(len(answers.right), size, replace=size > len(answers.right))
        one = Project(Scored(answers.confidence[rows], answers.right[rows]), rng)
        live(one, terms, rule, plans)
        saved.append(one.accepted.mean())
        broken.append(one.broken)
    error = np.sqrt(0.05 * 0.95 / DRAWS)
    return f"{np.mean(saved):6.1%} | {np.mean(broken):5.1%} (at most 5.0% ± {error:.1%})"


RULES: Sequence[tuple[str, Rule]] = (("audit", tested), ("lowest threshold", by_threshold))


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"no confidences to simulate with: {DATA} is missing")
    print(f"{ROUNDS} rounds; share of all images accepted | projects in which a promise broke")
    for name in ("imagenet", "imagenetv2"):
        answers = load(name)
        for promise in (Promise.DATASET, Promise.ACCEPTED):
            for size in SIZES:
                best = oracle(answers, size, AuditTerms(promise, ASKED))
                print(f"{name} {promise} N = {size:,}: {best:.1%} if every mistake were known")
                for label, rule in RULES:
                    began = time.process_time()
                    found = cell(answers, size, AuditTerms(promise, ASKED), rule)
                    print(
                        f"{name:10} {promise.value:8} N = {size:6,} {DRAWS} projects "
                        f"{label:16} {found}   {time.process_time() - began:4.0f} s",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
