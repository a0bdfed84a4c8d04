"""How good a handful of labels makes us on texts, against plain TF-IDF with logistic regression.

The texts are docstrings of installed packages; the class is the package, whose own name is blanked
out. Prints accuracy, log loss and calibration error on the texts left over, means over three seeds,
and what fitting and embedding cost in time and memory:

    python -m tests.bench text
"""

import ast
import random
import re
import resource
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from backend.domain import texts
from backend.domain.answers import Choices, ImageRef
from backend.domain.batches import ImageBatch
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.calibration import expected_calibration_error
from backend.models.classification.evaluation import SMALLEST
from backend.models.classification.family import ClassifierFamily
from backend.models.texts.encoders import TextEncoders
from backend.models.texts.extractor import TextExtractor
from backend.models.texts.names import TFIDF
from backend.models.texts.reading import TextReader
from backend.ports.model_family import TrainingSet

PACKAGES = ("matplotlib", "networkx", "numpy", "scipy", "sklearn", "torch")
A_CLASS, SHOTS, SEEDS = 300, (5, 20, 60), (0, 1, 2)
MANY, WORDS = 100_000, 20
"""Texts of a large project, and words of each."""

_NAMES = re.compile(rf"\b({'|'.join(PACKAGES)}|scikit|learn|np|plt|nx|mpl|Tensor|sp)\b", re.I)


def docstrings(package: str) -> Iterator[str]:
    """Yield docstrings of a package, none twice, without running its code."""
    spec = find_spec(package)
    folder = Path(next(iter(spec.submodule_search_locations))) if spec else Path("nowhere")
    seen = set[str]()
    files = [path for path in sorted(folder.rglob("*.py")) if "tests" not in path.parts]
    random.Random(0).shuffle(files)
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(errors="replace"))):
            is_named = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
            found = _NAMES.sub(" ", ast.get_docstring(node) or "")[:1000] if is_named else ""
            if len(found) >= 100 and found not in seen:
                seen.add(found)
                yield found


def load() -> tuple[list[str], np.ndarray, tuple[Label, ...]]:
    found, truth = list[str](), list[int]()
    labels = [package for package in PACKAGES if find_spec(package)]
    for number, package in enumerate(labels):
        chosen = list(islice(docstrings(package), A_CLASS))
        found += chosen
        truth += [number] * len(chosen)
    return found, np.array(truth), tuple(map(Label, labels))


def extractor() -> TextExtractor:
    encoders = TextEncoders(Path("nowhere"), lambda name: None)
    return TextExtractor(TFIDF, TextReader(None), encoders)


def refs(found: list[str]) -> list[ImageRef]:
    return [
        ImageRef(TaskId(number), texts.inline_address(text), kind=ItemKind.TEXT)
        for number, text in enumerate(found)
    ]


def main() -> None:
    found, truth, labels = load()
    began = time.process_time()
    images, _ = extractor().extract(refs(found), silent)
    print(
        f"{len(found)} docstrings of {len(labels)} packages, {len(found[0])} characters the first; "
        f"fitted and embedded in {time.process_time() - began:.1f} s of CPU, "
        f"{images.features.shape[1]} dimensions; means over {len(SEEDS)} seeds"
    )
    print(f"{'labels a class':>14}  {'method':26} accuracy  log loss    ECE  CPU s")
    for shots in SHOTS:
        rows = {"TF-IDF and scikit-learn": [], "ours, fast": [], "ours, precise": []}
        for seed in SEEDS:
            train, rest = drawn(truth, shots, seed)
            rows["TF-IDF and scikit-learn"].append(plain(found, truth, train, rest))
            for algorithm in Algorithm:
                score = ours(images, truth, labels, train, rest, algorithm, seed)
                rows[f"ours, {algorithm.value}"].append(score)
        for method, scores in rows.items():
            accuracy, loss, ece, seconds = np.mean(scores, axis=0)
            print(
                f"{shots:14}  {method:26} {accuracy:8.3f} {loss:9.3f} {ece:6.3f} {seconds:6.2f}",
                flush=True,
            )
    many(found)


def many(found: list[str]) -> None:
    """Print what a project of many texts costs."""
    rng = np.random.default_rng(0)
    words = [text.split() for text in found]
    mixed = [
        " ".join(rng.choice(words[number % len(words)], WORDS)) + f" {number}"
        for number in range(MANY)
    ]
    project = refs(mixed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    extractor().extract(project, silent)
    seconds = time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(map(len, mixed)) / MANY
    print(
        f"{MANY:,} texts of {size:.0f} characters: fitted and embedded in {seconds:.0f} s of CPU, "
        f"peak memory {after / 1e6:.2f} GB, {(after - before) / 1e6:.2f} GB more than before"
    )


def drawn(truth: np.ndarray, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    train = np.concatenate(
        [rng.permutation(np.flatnonzero(truth == label))[:shots] for label in np.unique(truth)]
    )
    return train, np.setdiff1d(np.arange(len(truth)), train)


def plain(found: list[str], truth: np.ndarray, train: np.ndarray, rest: np.ndarray):
    began = time.process_time()
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(max_iter=1000))
    model.fit([found[row] for row in train], truth[train])
    seconds = time.process_time() - began
    return scored(model.predict_proba([found[row] for row in rest]), truth[rest], seconds)


def ours(
    images: ImageBatch,
    truth: np.ndarray,
    labels: tuple[Label, ...],
    train: np.ndarray,
    rest: np.ndarray,
    algorithm: Algorithm,
    seed: int,
):
    training_set = TrainingSet(
        control=Control(ControlName("class"), "text", TaskKind.SINGLE, labels),
        train=images.take(train),
        train_answers=[Choices((labels[label],)) for label in truth[train]],
        held_out=images.take([]),
        held_out_answers=[],
        unlabeled=images.take(rest),
        algorithm=algorithm,
        previous=None,
        fetch=lambda ref: Path(),
        progress=silent,
        seed=seed,
        max_minutes=5,
    )
    began = time.process_time()
    model = ClassifierFamily().fit(training_set)
    seconds = time.process_time() - began
    predicted = model.predict(images.take(rest), training_set.fetch, silent)
    return scored(predicted.probabilities, truth[rest], seconds)


def scored(probabilities: np.ndarray, truth: np.ndarray, seconds: float) -> tuple[float, ...]:
    right = probabilities.argmax(axis=1) == truth
    chance = np.maximum(probabilities[np.arange(len(truth)), truth], SMALLEST)
    ece = expected_calibration_error(probabilities.max(axis=1), right)
    return float(right.mean()), float(-np.log(chance).mean()), ece, seconds


def silent(step: str, done: int, of: int, detail: str = "") -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main()
