"""Does choosing what to label next beat chance? Prints accuracy at 2, 5, 10 and 20 labels a class.

A person labels what was chosen, a model learns, chooses the next; accuracy on images kept apart,
means over seeds, on the clothing photos:

    python -m tests.bench.bench_choice [FOLDER]
"""

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np

from backend.domain.batches import PredictionBatch
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.models.classification.family import ClassifierFamily
from backend.policies.selection import select
from tests.bench.bench_few_shot import DATA, Data, load, silent, training_set

mpl.use("Agg")
import matplotlib.pyplot as plt

LABELS_A_CLASS, SEEDS, APART = (2, 5, 10, 20), range(5), 485

Choose = Callable[
    [Data, np.ndarray, np.ndarray, PredictionBatch | None, int, np.random.Generator], list[int]
]


def ours(data, pool, labeled, predictions, count, rng):
    images, known = data.images.take(pool), data.images.take(labeled)
    return [pick.task for pick in select(TaskKind.SINGLE, images, predictions, known, count, rng)]


def random(data, pool, labeled, predictions, count, rng):
    return list(rng.choice(pool, count, replace=False))


def least_confidence(probabilities):
    labels = probabilities.shape[1]
    return (1 - probabilities.max(axis=1)) * labels / max(1, labels - 1)


def least_confident(data, pool, labeled, predictions, count, rng):
    if predictions is None:
        return random(data, pool, labeled, predictions, count, rng)
    return list(pool[np.argsort(-least_confidence(predictions.probabilities))[:count]])


RULES: dict[str, Choose] = {
    "random": random,
    "least confidence": least_confident,
    "ours": ours,
}


def simulate(data: Data, choose: Choose, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(data.truth))
    apart, pool = shuffled[:APART], np.sort(shuffled[APART:])
    labeled, predictions = np.zeros(0, dtype=int), None
    accuracies = []
    for each in LABELS_A_CLASS:
        count = each * len(data.labels) - len(labeled)
        chosen = choose(data, pool, labeled, predictions, count, rng)
        labeled = np.concatenate([labeled, chosen]).astype(int)
        pool = np.setdiff1d(pool, labeled)
        model = ClassifierFamily().fit(training_set(data, labeled, pool, Algorithm.FAST, seed))
        predictions = model.predict(data.images.take(pool), data.files.path, silent)
        found = model.predict(data.images.take(apart), data.files.path, silent)
        right = found.probabilities.argmax(axis=1) == data.truth[apart]
        accuracies.append(float(right.mean()))
    return accuracies


def plot(table: dict[str, np.ndarray], folder: Path) -> None:
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    for name, runs in table.items():
        axes.errorbar(LABELS_A_CLASS, runs.mean(0), runs.std(0), marker="o", label=name, capsize=3)
    axes.set(xlabel="labels a class", ylabel="accuracy", title="clothing")
    axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "choice.png", dpi=120)
    plt.close(figure)


def main(folder: Path) -> None:
    if not DATA.is_dir():
        sys.exit(f"no images to choose from: {DATA} is missing")
    data = load()
    print(f"{'labels a class':18}" + "".join(f"{each:>8}" for each in LABELS_A_CLASS))
    table = dict[str, np.ndarray]()
    for name, rule in RULES.items():
        table[name] = np.array([simulate(data, rule, seed) for seed in SEEDS])
        print(f"{name:18}" + "".join(f"{mean:8.3f}" for mean in table[name].mean(0)), flush=True)
    gain = (table["ours"] - table["random"]).mean(0)
    print(f"{'ours - random':18}" + "".join(f"{100 * one:+8.1f}" for one in gain) + " points")
    plot(table, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".bench"))
