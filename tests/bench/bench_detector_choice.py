"""Whether a detector under a permissive license may become the default instead of YOLO11n.

    python -m tests.bench.bench_detector_choice
    python -m tests.bench.bench_detector_choice --candidates transformers:/models/dfine-nano-coco

The rule is in `docs/decisions/permissive-detector.md`: three seeds on three data sets with 20, 60
and 200 labeled images; in each of the nine cells the candidate's mean mAP50 is at most one point
below that of YOLO11n, in the time that YOLO11n took. One image in five is held out to choose the
epoch by, for both alike; mAP50 is measured on images that neither has seen.

What is missing (weights, data sets) is printed, and without it nothing is decided.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.demo.box_datasets import BoxDataset, read
from backend.domain.answers import ImageRef, Regions
from backend.domain.errors import NoWeights
from backend.domain.ids import ControlName, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.detection.average_precision import mean_average_precision
from backend.models.detection.family import DetectorFamily, detector_family
from backend.models.detection.inference import detect
from backend.ports.model_family import TrainingSet
from backend.settings import Settings
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

SHARED = Path(__file__).parents[3] / "shared"
REFERENCE = str(SHARED / "weights" / "yolo11n.pt")
CANDIDATES = ("transformers:ustc-community/dfine-nano-coco",)
SETS, SEEDS, SIZES = 3, (0, 1, 2), (20, 60, 200)
HELD_OUT, TEST, FEWEST = 5, 120, 40
"""One image in `HELD_OUT` is held out; at most `TEST` images test, and at least `FEWEST`."""

MARGIN = 0.01
"""mAP50 that a candidate may be worse by."""


@dataclass(frozen=True)
class Cell:
    data: str
    images: int


@dataclass(frozen=True)
class Split:
    training_set: TrainingSet
    test: Sequence[ImageRef]
    truths: Sequence[Regions]


@dataclass(frozen=True)
class Run:
    map50: float
    minutes: float


def split(data: BoxDataset, images: int, seed: int) -> Split:
    drawn = list(data.images)
    random.Random(seed).shuffle(drawn)
    refs = [ImageRef(TaskId(at), str(path)) for at, (path, _) in enumerate(drawn)]
    truths = [truth for _, truth in drawn]
    middle = images - images // HELD_OUT
    training_set = TrainingSet(
        control=Control(ControlName("box"), "image", TaskKind.DETECTION, data.labels),
        train=image_batch(refs[:middle]),
        train_answers=truths[:middle],
        held_out=image_batch(refs[middle:images]),
        held_out_answers=truths[middle:images],
        unlabeled=image_batch([]),
        algorithm=Algorithm.FAST,
        previous=None,
        fetch=fetch,
        progress=RecordedProgress(),
        seed=seed,
        max_minutes=60,
    )
    end = images + TEST
    return Split(training_set, refs[images:end], truths[images:end])


def run(family: DetectorFamily, chosen: Split, minutes: float) -> Run:
    started = time.monotonic()
    model = family.fit(replace(chosen.training_set, max_minutes=minutes))
    taken = (time.monotonic() - started) / 60
    labels = chosen.training_set.control.labels
    found = detect(model.network, chosen.test, fetch, labels, 0.001, RecordedProgress())
    return Run(mean_average_precision(found, chosen.truths, labels), taken)


def is_good_enough(
    reference: Mapping[Cell, Sequence[float]], candidate: Mapping[Cell, Sequence[float]]
) -> bool:
    """Apply the rule to the mAP50 of each seed, cell by cell."""
    return all(
        statistics.mean(candidate[cell]) >= statistics.mean(ours) - MARGIN
        for cell, ours in reference.items()
    )


def data_sets(folder: Path) -> dict[str, BoxDataset]:
    """Read the data sets with boxes: those with a folder of annotations or of labels."""
    found: dict[str, BoxDataset] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if any((path / name).is_dir() for name in ("annotations", "labels")):
            found[path.name] = read(path)
    return found


def family(detector: str, folder: Path) -> DetectorFamily:
    return detector_family(Settings(data_dir=folder, detector=detector), "cpu")


def missing_data(sets: Mapping[str, BoxDataset]) -> list[str]:
    """List what the rule needs of data and this machine does not have."""
    missing = [f"{SETS - len(sets)} more data set(s) with boxes"] if len(sets) < SETS else []
    return missing + [
        f"{name} has {len(data.images)} images, {SIZES[-1] + FEWEST} are needed"
        for name, data in sets.items()
        if len(data.images) < SIZES[-1] + FEWEST
    ]


def missing_weights(detector: str, folder: Path) -> list[str]:
    try:
        family(detector, folder).check()
    except NoWeights as exc:
        return [str(exc)]
    return []


def measure(
    sets: Mapping[str, BoxDataset], candidate: str, chosen: argparse.Namespace, folder: Path
) -> bool:
    """Compare one candidate with YOLO11n, print each cell, and return whether it is good enough."""
    reference: dict[Cell, list[float]] = {}
    other: dict[Cell, list[float]] = {}
    for name, data in sets.items():
        for images in chosen.sizes:
            if len(data.images) < images + FEWEST:
                continue
            cell = Cell(name, images)
            for seed in chosen.seeds:
                drawn = split(data, images, seed)
                ours = run(family(REFERENCE, folder), drawn, 60)
                theirs = run(family(candidate, folder), drawn, ours.minutes)
                reference.setdefault(cell, []).append(ours.map50)
                other.setdefault(cell, []).append(theirs.map50)
                print(
                    f"{name}, {images} images, seed {seed}: YOLO11n {ours.map50:.3f} in"
                    f" {ours.minutes:.1f} min, {candidate} {theirs.map50:.3f} in"
                    f" {theirs.minutes:.1f} min",
                    flush=True,
                )
    return bool(reference) and is_good_enough(reference, other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", nargs="+", default=list(CANDIDATES))
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    chosen = parser.parse_args()
    complete = set(SEEDS) <= set(chosen.seeds) and set(SIZES) <= set(chosen.sizes)
    with tempfile.TemporaryDirectory() as name:
        folder, sets = Path(name), data_sets(chosen.data)
        data, yolo = missing_data(sets), missing_weights(REFERENCE, folder)
        for line in (*data, *yolo):
            print(f"missing: {line}")
        for candidate in chosen.candidates:
            if weights := missing_weights(candidate, folder) + yolo:
                print(f"missing: {weights[0]}\n{candidate}: undecided, not measured")
                continue
            good = measure(sets, candidate, chosen, folder)
            verdict = "may become the default" if good else "does not become the default"
            undecided = "undecided, since the rule asks for more than was measured"
            print(f"{candidate}: {verdict if complete and not data else undecided}")


if __name__ == "__main__":
    main()
