"""Do audits keep their promise, what do they save, and how long does planning take?

Draws pools from real predictions (ImageNet, ImageNetV2), calibrates on a few labels, plans an
audit, makes it many times and counts broken promises; then simulates projects whose people work
against the promise. Prints the tables and writes a plot:

    python -m tests.bench.bench_audit [planning] [minutes] [pools] [adversaries]

Without a name it does all four. `bench_audit_rounds` has projects of several rounds.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.linear_model import LogisticRegression

from backend.domain.audits import Audit, AuditTerms, Promise, RiskLedger
from backend.domain.ids import AuditId, ProjectId, VersionName
from backend.policies.certification.audit_plan import plan
from backend.policies.certification.audit_price import AuditPlan
from backend.policies.certification.audit_region import draw, stops
from backend.policies.certification.audit_verdict import AuditFindings, accepted, judge
from backend.policies.certification.risk import risk_of_next_test, share_of
from tests.fakes.audited_projects import PEOPLE, live

mpl.use("Agg")
import matplotlib.pyplot as plt

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "confidences"
DRAWS, PROJECTS = 200, 2000
SIZES = (500, 1000, 5000, 20_000)
ASKED = 0.05
PLOT = Path(".bench") / "audit.png"
PLANNED = 100_000


@dataclass(frozen=True)
class Scored:
    """What a real classifier said of many images."""

    confidence: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Pool:
    """A project of N images: how many are labeled, and the others, surest first."""

    size: int
    labels: int
    chances: np.ndarray
    wrong: np.ndarray

    def budget(self) -> int:
        return share_of(ASKED, self.size)


@dataclass(frozen=True)
class Result:
    """Of each draw: images accepted, and whether the promise broke."""

    saved: np.ndarray
    broken: np.ndarray

    def __str__(self) -> str:
        nothing = float(np.mean(self.saved == 0))
        return f"{self.saved.mean():6.1%} | {self.broken.mean():5.1%} | {nothing:4.0%}"


def load(name: str) -> Scored:
    table = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1)
    return Scored(table[:, 2], table[:, 0] == table[:, 1])


def pool(answers: Scored, size: int, rng: np.random.Generator) -> Pool:
    """Label some images at random, calibrate on them, and rank the rest.

    A pool larger than the data holds some images several times.
    """
    rows = rng.choice(len(answers.right), size, replace=size > len(answers.right))
    labels = min(300, size // 5)
    odds = np.log(answers.confidence[rows] + 1e-6) - np.log(1 - answers.confidence[rows] + 1e-6)
    right = answers.right[rows]
    fitted = LogisticRegression().fit(odds[:labels, None], right[:labels])
    chances = fitted.predict_proba(odds[labels:, None])[:, 0]
    order = np.argsort(chances, kind="stable")
    return Pool(size, labels, chances[order], ~right[labels:][order])


def by_audit(one: Pool, planned: AuditPlan, terms: AuditTerms, rng: np.random.Generator):
    """Return the positions that an audit accepts."""
    given = risk_of_next_test(RiskLedger(), terms.confidence)
    positions = draw(planned.region, planned.sample, rng)
    return tested(one.wrong[: planned.region], positions, terms, given, one.budget())


def tested(wrong: np.ndarray, positions: np.ndarray, terms: AuditTerms, given: float, budget: int):
    """Return the positions of a region that the product's test accepts, given its mistakes."""
    frozen = stops(len(wrong), positions, terms, given, budget)
    audit = Audit(
        AuditId(1), ProjectId(1), VersionName(""), terms, given, 0, (), (), budget, frozen
    )
    sampled = np.zeros(len(wrong), dtype=bool)
    sampled[positions] = True
    found = AuditFindings(sampled, np.zeros(len(wrong), bool), sampled & wrong)
    passed = judge(audit, found, budget).passed
    return np.array(accepted(found, passed.size) if passed else (), dtype=int)


def by_threshold(one: Pool, planned: AuditPlan, terms: AuditTerms, rng: np.random.Generator):
    """Accept down to the lowest score where the same labels still look good enough."""
    region = planned.region
    sampled = np.zeros(region, dtype=bool)
    sampled[draw(region, planned.sample, rng)] = True
    counted = np.maximum(np.cumsum(sampled), 1)
    rate = np.cumsum(sampled & one.wrong[:region]) / counted
    rest = np.cumsum(~sampled)
    allowed = one.budget() if terms.promise is Promise.DATASET else terms.max_error * rest
    good = np.flatnonzero((rate * rest <= allowed) & (np.cumsum(sampled) > 0))
    end = int(good.max()) + 1 if len(good) else 0
    return np.flatnonzero(~sampled[:end])


def simulate(answers: Scored, size: int, terms: AuditTerms, rule: Callable) -> Result:
    rng = np.random.default_rng(size)
    given = risk_of_next_test(RiskLedger(), terms.confidence)
    saved, broken = np.zeros(DRAWS), np.zeros(DRAWS, dtype=bool)
    for k in range(DRAWS):
        one = pool(answers, size, rng)
        if k % 20 == 0:  # planning anew each time would take most of the time
            planned = plan(one.chances, 0, terms, given, one.budget())
        if planned.net <= 0:
            continue
        rows = rule(one, planned, terms, rng)
        wrong = int(one.wrong[rows].sum()) if len(rows) else 0
        promised = one.size if terms.promise is Promise.DATASET else len(rows)
        saved[k], broken[k] = len(rows) / size, wrong > share_of(ASKED, promised)
    return Result(saved, broken)


RULES: dict[str, Callable] = {"audit": by_audit, "naive": by_threshold}


def oracle(answers: Scored, size: int, terms: AuditTerms) -> float:
    """The most that could be accepted if every mistake were known."""
    one = pool(answers, size, np.random.default_rng(size))
    wrong = np.cumsum(one.wrong)
    allowed = one.budget()
    if terms.promise is Promise.ACCEPTED:
        allowed = ASKED * np.arange(1, len(wrong) + 1)
    return float(np.flatnonzero(wrong <= allowed).max(initial=-1) + 1) / size


def pools() -> None:
    print(f"{DRAWS} draws a cell; share of all images saved | runs that broke the promise", end="")
    print(" | runs that accepted nothing")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for axis, name in zip(axes, ("imagenet", "imagenetv2"), strict=True):
        answers = load(name)
        for promise in (Promise.DATASET, Promise.ACCEPTED):
            terms = AuditTerms(promise, ASKED)
            print(f"\n{name}, promise {promise}")
            saved = {label: list[float]() for label in RULES}
            for size in SIZES:
                print(f"  N = {size:6,}", flush=True)
                for label, rule in RULES.items():
                    found = simulate(answers, size, terms, rule)
                    print(f"    {label:7} {found}", flush=True)
                    saved[label].append(found.saved.mean())
                best = oracle(answers, size, terms)
                print(f"    oracle  {best:6.1%}, ratio {saved['audit'][-1] / best:.2f}", flush=True)
            for label, shares in saved.items():
                axis.plot(SIZES, shares, "o-", label=f"{promise}, {label}")
        axis.set(title=name, xscale="log", xlabel="images in the project", ylim=(0, 1))
    axes[0].set_ylabel("share saved")
    axes[1].legend(fontsize=8)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=120)
    plt.close(figure)


def minutes() -> None:
    """Print what an audit and a grid of predicted classes would cost a person."""
    print("\nminutes of a person: audit | confirming what it accepts in a grid")
    given = risk_of_next_test(RiskLedger(), 0.95)
    for name in ("imagenet", "imagenetv2"):
        for size in SIZES:
            one = pool(load(name), size, np.random.default_rng(size))
            planned = plan(one.chances, 0, AuditTerms(), given, one.budget())
            print(
                f"  {name}, N = {size}: {planned.audit_minutes:.0f} for {planned.sample} labels | "
                f"{planned.grid_minutes:.0f} for {planned.accepted} images",
                flush=True,
            )


def adversaries() -> None:
    print(
        f"\n{PROJECTS} projects of 300 images with three audits: promises broken, labels accepted"
    )
    for promise in (Promise.DATASET, Promise.ACCEPTED):
        for ranking in ("calibrated", "constant", "backward"):
            rng, broken = np.random.default_rng(11), list[bool]()
            for people in PEOPLE:
                lived = [
                    live(rng, AuditTerms(promise), people, ranking, size=300, sample=80)
                    for _ in range(-(-PROJECTS // len(PEOPLE)))
                ]
                broken += [project.broken for project in lived]
                mean = np.mean([project.accepted_labels for project in lived])
                share = np.mean(broken[-len(lived) :])
                print(f"    {people.__name__:26} {share:5.1%}, {mean:.0f}", flush=True)
            print(f"  {promise}, {ranking}: {np.mean(broken):.1%} of {len(broken):,}", flush=True)


def planning() -> None:
    chances = 1 - np.random.default_rng(0).beta(3, 0.4, PLANNED)
    for promise in (Promise.DATASET, Promise.ACCEPTED):
        started, cpu = time.perf_counter(), time.process_time()
        found = plan(chances, 300, AuditTerms(promise), 0.0375, share_of(ASKED, PLANNED))
        spent, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(f"planning for {PLANNED:,} images, {promise}: {spent:.1f} s ({cpu:.1f} s of CPU)")
        print(f"  {found.sentence()}")


PARTS = {one.__name__: one for one in (planning, minutes, pools, adversaries)}


def main(wanted: Sequence[str]) -> None:
    if not DATA.is_dir():
        sys.exit(f"no confidences to simulate with: {DATA} is missing")
    for name in wanted or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
