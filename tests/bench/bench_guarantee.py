"""Does the promise of auto-accept hold, and how much does it accept?

Draws validation samples from real predictions (ImageNet, ImageNetV2) many times, certifies with
each, and counts how often the labels accepted hold more mistakes than was asked. Prints a table
and writes a plot:

    python -m tests.bench.bench_guarantee [FOLDER]
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np

from backend.domain.answers import Choices
from backend.domain.jobs import Algorithm
from backend.models.classification.family import ClassifierFamily
from backend.policies.certification.acceptance_test import Validation
from backend.policies.certification.certificates import FIRST_ATTEMPT, Terms, certify, stays
from backend.policies.certification.correctness import right
from tests.bench import bench_few_shot as few_shot

mpl.use("Agg")
import matplotlib.pyplot as plt

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "confidences"
DRAWS = 400
CONFIRMED = 0.7
ASKED, CONFIDENCE = 0.05, 0.95
ONE_SHOT = 1 - (1 - CONFIDENCE) / FIRST_ATTEMPT
"""Asking for this much makes the first attempt spend what 95 % for a single attempt would."""


@dataclass(frozen=True)
class Answers:
    """What a model predicted to many images, and the sizes of validation samples to try on them."""

    name: str
    confidence: np.ndarray
    right: np.ndarray
    sizes: tuple[int, ...] = (200, 500, 1000, 2000)


@dataclass(frozen=True)
class Outcome:
    """Of each draw: share of the pool accepted, and share of mistakes among the accepted."""

    coverage: np.ndarray
    error: np.ndarray

    @property
    def broken(self) -> float:
        return float(np.mean(self.error > ASKED))

    def __str__(self) -> str:
        noise = np.sqrt(max(self.broken, 1 / len(self.error)) * (1 - self.broken) / len(self.error))
        return f"{self.coverage.mean():6.1%} | {self.broken:5.1%} ± {noise:.1%}"


def load(name: str) -> Answers:
    table = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1)
    return Answers(name, table[:, 2], table[:, 0] == table[:, 1])


def clothing() -> Answers:
    """Our own classifier after 30 labels a class, on the other photos; boxes need a detector."""
    data = few_shot.load()
    train, rest = few_shot.drawn(data.truth, 30, seed=0)
    task = few_shot.training_set(data, train, rest, Algorithm.FAST, 0)
    predicted = (
        ClassifierFamily().fit(task).predict(task.unlabeled, data.files.path, few_shot.silent)
    )
    truth = [Choices((data.labels[k],)) for k in data.truth[rest]]
    return Answers(
        "clothing", predicted.confidence, right(predicted.answers, truth), (200, 300, 400)
    )


def oracle(answers: Answers) -> float:
    """The most that could be accepted if every mistake were known."""
    order = np.argsort(-answers.confidence, kind="stable")
    errors = np.cumsum(~answers.right[order]) / np.arange(1, len(order) + 1)
    return float(np.flatnonzero(errors <= ASKED).max() + 1) / len(order)


def ours(validation: Validation) -> float:
    certificate = certify(validation, Terms(ASKED, ONE_SHOT))
    return certificate.threshold if certificate else np.inf


def ours_in_a_project(validation: Validation) -> float:
    certificate = certify(validation, Terms(ASKED, CONFIDENCE))
    return certificate.threshold if certificate else np.inf


def naive(validation: Validation) -> float:
    """The smallest threshold whose accepted validation labels are good enough (Ground Truth)."""
    order = np.argsort(-validation.confidence, kind="stable")
    errors = np.cumsum(~validation.right[order]) / np.arange(1, len(order) + 1)
    passing = np.flatnonzero(errors <= ASKED)
    return float(validation.confidence[order][passing.max()]) if len(passing) else np.inf


def simulate(answers: Answers, size: int, rule: Callable[[Validation], float]) -> Outcome:
    rng = np.random.default_rng(size)
    coverage, error = np.zeros(DRAWS), np.zeros(DRAWS)
    for draw in range(DRAWS):
        sample = np.zeros(len(answers.right), dtype=bool)
        sample[rng.choice(len(sample), size, replace=False)] = True
        pool, good = answers.confidence[~sample], answers.right[~sample]
        threshold = rule(Validation(answers.confidence[sample], answers.right[sample], pool))
        accepted = pool >= threshold
        coverage[draw] = accepted.mean()
        error[draw] = np.mean(~good[accepted]) if accepted.any() else 0
    return Outcome(coverage, error)


def simulate_confirming(answers: Answers, size: int, *, told: bool) -> Outcome:
    """People confirm seven tenths of the right answers meanwhile, and leave the wrong ones.

    Shares are of what they left. `told`: the test knows which images they took.
    """
    rng = np.random.default_rng(size)
    coverage, error = np.zeros(DRAWS), np.zeros(DRAWS)
    for draw in range(DRAWS):
        sample = np.zeros(len(answers.right), dtype=bool)
        sample[rng.choice(len(sample), size, replace=False)] = True
        gone = ~sample & answers.right & (rng.random(len(sample)) < CONFIRMED)
        left = ~sample & ~gone
        threshold = ours(
            Validation(
                answers.confidence[sample],
                answers.right[sample],
                answers.confidence[left],
                answers.confidence[gone] if told else np.empty(0),
            )
        )
        accepted = answers.confidence[left] >= threshold
        coverage[draw] = accepted.mean()
        error[draw] = np.mean(~answers.right[left][accepted]) if accepted.any() else 0
    return Outcome(coverage, error)


def simulate_rounds(answers: Answers, size: int, rounds: int = 3) -> Outcome:
    """Three attempts on one project: each round brings as many new validation images and a model
    that is surer of what is left (odds of each remaining answer's confidence shifted at random).

    Broken when any round's accepted labels hold more mistakes than was asked.
    """
    rng = np.random.default_rng(size)
    coverage, worst = np.zeros(DRAWS), np.zeros(DRAWS)
    for draw in range(DRAWS):
        open_, audit = np.ones(len(answers.right), dtype=bool), np.zeros(len(answers.right), bool)
        taken, confidence = 0, answers.confidence
        for attempt in range(1, rounds + 1):
            fresh = rng.choice(np.flatnonzero(open_), min(size, open_.sum()), replace=False)
            audit[fresh], open_[fresh] = True, False
            validation = Validation(confidence[audit], answers.right[audit], confidence[open_])
            certificate = certify(validation, Terms(ASKED, CONFIDENCE, attempt))
            if certificate:
                accepted = open_ & (confidence >= certificate.threshold)
                worst[draw] = max(worst[draw], np.mean(~answers.right[accepted]))
                taken += int(accepted.sum())
                audit &= stays(confidence, certificate)
                open_ &= ~accepted
            confidence = _better(confidence, answers.right, rng)
        coverage[draw] = taken / len(answers.right)
    return Outcome(coverage, worst)


def _better(confidence: np.ndarray, good: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The confidence of a model that learned: on average surer where right, less where wrong."""
    odds = np.log(confidence + 1e-6) - np.log(1 - confidence + 1e-6)
    shift = np.where(good, 0.5, -0.5) + rng.normal(0, 1, len(odds))
    return 1 / (1 + np.exp(-(odds + shift)))


RULES: dict[str, Callable[[Answers, int], Outcome]] = {
    "ours, one certificate at 95 %": lambda answers, size: simulate(answers, size, ours),
    "ours, first of a project": lambda answers, size: simulate(answers, size, ours_in_a_project),
    "ours, three rounds": simulate_rounds,
    "ours, right ones confirmed": partial(simulate_confirming, told=True),
    "the same, not reckoned with": partial(simulate_confirming, told=False),
    "naive smallest passing threshold": lambda answers, size: simulate(answers, size, naive),
}


def plot(answers: Answers, best: float, outcomes: dict[str, list[Outcome]], folder: Path) -> None:
    figure, (left, beside) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for rule, found in outcomes.items():
        left.plot(answers.sizes, [outcome.coverage.mean() for outcome in found], "o-", label=rule)
        beside.plot(answers.sizes, [outcome.broken for outcome in found], "o-", label=rule)
    left.axhline(best, color="gray", ls=":", label="oracle")
    beside.axhline(1 - CONFIDENCE, color="gray", ls=":", label="allowed")
    left.set(title=f"{answers.name}: share accepted", xlabel="validation images", ylim=(0, 1))
    beside.set(title=f"runs with more than {ASKED:.0%} mistakes", xlabel="validation images")
    left.legend(fontsize=8)
    figure.savefig(folder / f"guarantee_{answers.name}.png", dpi=120)
    plt.close(figure)


def main(folder: Path) -> None:
    if not DATA.is_dir():
        sys.exit(f"no confidences to simulate with: {DATA} is missing")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"coverage | runs with more than {ASKED:.0%} mistakes; {DRAWS} draws each")
    for answers in (load("imagenet"), load("imagenetv2"), clothing()):
        best = oracle(answers)
        print(f"\n{answers.name}: oracle {best:.1%}")
        print(f"{'validation images':34}" + "".join(f"{size:^24}" for size in answers.sizes))
        outcomes = dict[str, list[Outcome]]()
        for name, rule in RULES.items():
            started = time.perf_counter()
            outcomes[name] = [rule(answers, size) for size in answers.sizes]
            spent = time.perf_counter() - started
            cells = "".join(f"{outcome!s:^24}" for outcome in outcomes[name])
            print(f"{name:34}{cells} {spent:5.0f} s", flush=True)
        plot(answers, best, outcomes, folder)
    print(f"\nplots in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".bench"))
