"""How good a handful of labels makes us, against plain logistic regression on the same features.

Prints accuracy (share right), log loss and calibration error on the images left over, means over
three seeds, and the time of a fit:

    python -m tests.bench.bench_few_shot
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from backend.domain.answers import Choices, ImageRef
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.calibration import expected_calibration_error
from backend.models.classification.evaluation import SMALLEST
from backend.models.classification.family import ClassifierFamily
from backend.models.embedding.extractors import open_extractor
from backend.ports.model_family import TrainingSet
from backend.settings import Settings

ENCODERS = ("efficientnet_lite0", "efficientnet_lite2", "efficientnet_lite0+efficientnet_lite2")
"""The first is the default, the last that of `precise` on a machine without a GPU."""

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "clothing"
FEATURES = Path(".bench") / "features"
"""Features are computed once; delete the folder to compute them anew."""

SHOTS, SEEDS = (5, 20, 60), (0, 1, 2)


@dataclass(frozen=True)
class Folder:
    """A folder with one sub-folder a class, as the product's files port."""

    paths: tuple[Path, ...]

    def digests(self, refs):
        for ref in refs:
            yield ref, hashlib.sha256(self.path(ref).read_bytes()).hexdigest()

    def known(self, refs):
        return [None] * len(refs)

    def path(self, ref: ImageRef) -> Path:
        return self.paths[ref.task]


@dataclass(frozen=True)
class Data:
    images: ImageBatch
    truth: np.ndarray
    labels: tuple[Label, ...]
    files: Folder

    @property
    def control(self) -> Control:
        return Control(ControlName("class"), "image", TaskKind.SINGLE, self.labels)


@dataclass(frozen=True)
class Score:
    accuracy: float
    log_loss: float
    ece: float
    seconds: float

    def row(self) -> tuple[float, ...]:
        return self.accuracy, self.log_loss, self.ece, self.seconds


def main() -> None:
    if not DATA.is_dir():
        print(f"few-shot: {DATA} is not there, nothing measured")
        return
    data = load(ENCODERS[0])
    print(f"{len(data.truth)} images, {len(data.labels)} classes, means over {len(SEEDS)} seeds")
    against_scikit_learn(data)
    for encoder in ENCODERS:
        by_encoder(encoder, load(encoder))


def by_encoder(encoder: str, data: Data) -> None:
    """Print what each encoder brings, with and without the unlabeled images."""
    for shots in SHOTS:
        for algorithm in Algorithm:
            scores = []
            for seed in SEEDS:
                train, rest = drawn(data.truth, shots, seed)
                scores.append(ours(data, train, rest, algorithm, seed).row())
            accuracy, loss, ece, seconds = np.mean(scores, axis=0)
            print(
                f"{shots:14}  {encoder}, {algorithm:8} {accuracy:8.3f} {loss:9.3f} {ece:6.3f} "
                f"{seconds:6.2f}",
                flush=True,
            )


def against_scikit_learn(data: Data) -> None:
    print(f"{'labels a class':>14}  {'method':26} accuracy  log loss    ECE  CPU s")
    for shots in SHOTS:
        rows = {"scikit-learn, C=1": [], "ours, fast": [], "ours, precise": []}
        for seed in SEEDS:
            train, rest = drawn(data.truth, shots, seed)
            rows["scikit-learn, C=1"].append(plain(data, train, rest))
            rows["ours, fast"].append(ours(data, train, rest, Algorithm.FAST, seed))
            rows["ours, precise"].append(ours(data, train, rest, Algorithm.PRECISE, seed))
        for method, scores in rows.items():
            accuracy, loss, ece, seconds = np.mean([score.row() for score in scores], axis=0)
            print(f"{shots:14}  {method:26} {accuracy:8.3f} {loss:9.3f} {ece:6.3f} {seconds:6.2f}")
        below = [
            fast.accuracy - theirs.accuracy
            for fast, theirs in zip(rows["ours, fast"], rows["scikit-learn, C=1"], strict=True)
        ]
        print(f"{'':14}  fast minus scikit-learn by seed: {np.round(below, 3)}")


def load(encoder: str = ENCODERS[0]) -> Data:
    paths = tuple(path for path in sorted(DATA.rglob("*")) if path.suffix == ".jpg")
    labels = tuple(sorted({path.parent.name for path in paths}))
    truth = np.array([labels.index(path.parent.name) for path in paths])
    refs = [ImageRef(TaskId(number), str(path)) for number, path in enumerate(paths)]
    extractor = open_extractor(Settings(data_dir=FEATURES, device="cpu"), Folder(paths))
    images, unreadable = extractor.extract(refs, silent, encoder)
    assert not unreadable
    return Data(images, truth, tuple(Label(label) for label in labels), Folder(paths))


def drawn(truth: np.ndarray, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    train = np.concatenate(
        [rng.permutation(np.flatnonzero(truth == label))[:shots] for label in np.unique(truth)]
    )
    return train, np.setdiff1d(np.arange(len(truth)), train)


def plain(data: Data, train: np.ndarray, rest: np.ndarray) -> Score:
    features = data.images.features.astype(np.float32)
    began = time.process_time()
    model = LogisticRegression(max_iter=1000).fit(features[train], data.truth[train])
    seconds = time.process_time() - began
    return scored(model.predict_proba(features[rest]), data.truth[rest], seconds)


def ours(data: Data, train: np.ndarray, rest: np.ndarray, algorithm: Algorithm, seed: int) -> Score:
    began = time.process_time()
    model = ClassifierFamily().fit(training_set(data, train, rest, algorithm, seed))
    seconds = time.process_time() - began
    predicted: PredictionBatch = model.predict(data.images.take(rest), data.files.path, silent)
    return scored(predicted.probabilities, data.truth[rest], seconds)


def training_set(
    data: Data, train: np.ndarray, rest: np.ndarray, algorithm: Algorithm, seed: int
) -> TrainingSet:
    return TrainingSet(
        control=data.control,
        train=data.images.take(train),
        train_answers=[Choices((data.labels[label],)) for label in data.truth[train]],
        held_out=data.images.take([]),
        held_out_answers=[],
        unlabeled=data.images.take(rest),
        algorithm=algorithm,
        previous=None,
        fetch=data.files.path,
        progress=silent,
        seed=seed,
        max_minutes=5,
    )


def scored(probabilities: np.ndarray, truth: np.ndarray, seconds: float) -> Score:
    right = probabilities.argmax(axis=1) == truth
    chance = np.maximum(probabilities[np.arange(len(truth)), truth], SMALLEST)
    ece = expected_calibration_error(probabilities.max(axis=1), right)
    return Score(float(right.mean()), float(-np.log(chance).mean()), ece, seconds)


def silent(step: str, done: int, of: int, detail: str = "") -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main()
