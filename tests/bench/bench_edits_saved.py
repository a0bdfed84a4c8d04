"""How much drawing does a detector save? A simulated person labels all blood cells (`bccd`).

Between two trainings the person corrects what the last version drew: adds, deletes, moves and
relabels boxes until the image is right. Counted against drawing every box by hand, with images
chosen by us, by chance, and by least confidence:

    python -m tests.bench.bench_edits_saved [SEED ...]

Trains three detectors for each way of choosing, some minutes each on a CPU.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.demo.box_datasets import read
from backend.domain.answers import ImageRef, Regions
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.detection.edits import edits
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.models.embedding.extractors import open_extractor
from backend.policies.certification import held_out
from backend.policies.selection import select
from backend.ports.model_family import TrainingSet
from backend.services.training.train import HELD_OUT
from backend.settings import Settings
from tests.bench.bench_detection import SHARED, SIZE, START
from tests.bench.bench_few_shot import Folder, silent

BATCHES = (20, 40, 60)
"""Images that are labeled before each training; what is left follows the last one."""

EPOCHS = 20

Choose = Callable[["Project", int], Sequence[int]]


@dataclass(frozen=True)
class Data:
    """`truth` has the boxes of each image."""

    images: ImageBatch
    truth: Sequence[Regions]
    labels: tuple[Label, ...]
    files: Folder


@dataclass
class Project:
    """Who has labeled what, and the `work` it cost, in edits.

    `predicted` is what the last version says of all images; `path` has the images of each step and
    the edits that each of them needed.
    """

    data: Data
    rng: np.random.Generator
    labeled: list[int] = field(default_factory=list)
    predicted: PredictionBatch | None = None
    work: int = 0
    path: list[tuple[int, float]] = field(default_factory=list)

    @property
    def left(self) -> list[int]:
        done = set(self.labeled)
        return [row for row in range(len(self.data.truth)) if row not in done]

    def correct(self, rows: Sequence[int]) -> None:
        """A person makes these images right."""
        drawn = Regions(())
        costs = [
            edits(
                self.predicted.answers[row] if self.predicted else drawn, self.data.truth[row]
            ).total
            for row in rows
        ]
        self.work += sum(costs)
        self.path.append((len(rows), float(np.mean(costs))))
        self.labeled += rows

    def train(self, family: DetectorFamily, home: Path, seed: int) -> None:
        """A version from all that is labeled, going on from the one before."""
        answers = [self.data.truth[row] for row in self.labeled]
        images = self.data.images.take(self.labeled)
        learn, hold = held_out.split(images.tasks, answers, seed, HELD_OUT)
        previous = max(home.glob("version-*"), default=None)
        training_set = TrainingSet(
            control=Control(ControlName("box"), "image", TaskKind.DETECTION, self.data.labels),
            train=images.take(learn),
            train_answers=[answers[row] for row in learn],
            held_out=images.take(hold),
            held_out_answers=[answers[row] for row in hold],
            unlabeled=self.data.images.take(self.left),
            algorithm=Algorithm.FAST,
            previous=previous,
            fetch=self.data.files.path,
            progress=silent,
            seed=seed,
            max_minutes=60,
        )
        model = family.fit(training_set)
        folder = home / f"version-{len(self.path)}"
        folder.mkdir()
        model.save(folder)
        self.predicted = model.predict(self.data.images, self.data.files.path, silent)


def ours(project: Project, count: int) -> Sequence[int]:
    rows = project.left
    predicted = project.predicted
    predictions = predicted and predicted.take(rows)
    free, labeled = project.data.images.take(rows), project.data.images.take(project.labeled)
    picks = select(TaskKind.DETECTION, free, predictions, labeled, count, project.rng)
    return [int(pick.task) for pick in picks]


def random(project: Project, count: int) -> Sequence[int]:
    return [int(row) for row in project.rng.choice(project.left, count, replace=False)]


def least_confident(project: Project, count: int) -> Sequence[int]:
    """By the score column, as Label Studio's own Uncertainty sampling orders."""
    if project.predicted is None:
        return random(project, count)
    confidence = project.predicted.confidence
    return sorted(project.left, key=lambda row: confidence[row])[:count]


RULES: dict[str, Choose] = {"ours": ours, "random": random, "least confidence": least_confident}


def load() -> Data:
    found = read(SHARED / "data" / "bccd")
    paths = tuple(path for path, _ in found.images)
    files = Folder(paths)
    refs = [ImageRef(TaskId(number), str(path)) for number, path in enumerate(paths)]
    with tempfile.TemporaryDirectory() as folder:
        extractor = open_extractor(Settings(data_dir=Path(folder), device="cpu"), files)
        images, _ = extractor.extract(refs, silent)
    return Data(images, [truth for _, truth in found.images], found.labels, files)


def live(data: Data, choose: Choose, seed: int) -> Project:
    project = Project(data, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        engine = UltralyticsEngine(str(START), home / "engine")
        family = DetectorFamily(engine, image_size=SIZE, epochs=EPOCHS)
        for count in BATCHES:
            project.correct(choose(project, count))
            project.train(family, home, seed)
    project.correct(project.left)
    return project


def main(seeds: Sequence[int]) -> None:
    if not START.is_file():
        sys.exit(f"no detector to start from: {START} is missing")
    data = load()
    boxes = sum(len(truth.regions) for truth in data.truth)
    print(f"{len(data.truth)} images with {boxes} boxes, {boxes / len(data.truth):.1f} an image")
    for seed in seeds:
        for name, choose in RULES.items():
            began = time.perf_counter()
            project = live(data, choose, seed)
            steps = ", ".join(f"{count} at {mean:.1f}" for count, mean in project.path)
            print(
                f"seed {seed} {name:17} {project.work:5} edits | {1 - project.work / boxes:5.1%} "
                f"saved | images at edits each: {steps}   {time.perf_counter() - began:4.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [0])
