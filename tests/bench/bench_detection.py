"""Detection on blood cells: our training and prediction beside plain Ultralytics.

    python -m tests.bench.bench_detection train --seeds 0 1 2 --epochs 20
    python -m tests.bench.bench_detection predict

`train`: 20 images to learn from and 40 to choose an epoch by, the same for both; mAP50 on 120
others that neither has seen, by our evaluation and by Ultralytics' own. Both start from the same
checkpoint and train for the same epochs at the same image size; the plain training is what
`yolo detect train` does with its defaults. Runs alternate; seconds are of the wall clock and, in
brackets, of the processors, which other programs disturb less.

`predict`: the same files and threads, median of five alternating rounds.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.demo.box_datasets import read
from backend.domain.answers import ImageRef, Regions
from backend.domain.ids import ControlName, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.detection.average_precision import mean_average_precision
from backend.models.detection.family import DetectorFamily
from backend.models.detection.inference import detect
from backend.models.detection.ultralytics_engine import setup
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.models.detection.ultralytics_engine.yolo_dataset import write
from backend.ports.model_family import TrainingSet
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

SHARED = Path(__file__).parents[3] / "shared"
START = SHARED / "weights" / "yolo11n.pt"
SIZE = 320
LEARN, CHOOSE, TEST = 20, 40, 120


@dataclass(frozen=True)
class Split:
    training_set: TrainingSet
    test: Sequence[ImageRef]
    truths: Sequence[Regions]


@dataclass(frozen=True)
class Run:
    map50: float
    theirs: float
    seconds: float
    cpu: float

    def __str__(self) -> str:
        return (
            f"mAP50 {self.map50:.3f} (by Ultralytics {self.theirs:.3f})"
            f" in {self.seconds:.0f} s ({self.cpu:.0f} s)"
        )


def split(seed: int) -> Split:
    data = read(SHARED / "data" / "bccd")
    images = list(data.images)
    random.Random(seed).shuffle(images)
    refs = [ImageRef(TaskId(at), str(path)) for at, (path, _) in enumerate(images)]
    truths = [truth for _, truth in images]
    middle, end = LEARN + CHOOSE, LEARN + CHOOSE + TEST
    training_set = TrainingSet(
        control=Control(ControlName("box"), "image", TaskKind.DETECTION, data.labels),
        train=image_batch(refs[:LEARN]),
        train_answers=truths[:LEARN],
        held_out=image_batch(refs[LEARN:middle]),
        held_out_answers=truths[LEARN:middle],
        unlabeled=image_batch([]),
        algorithm=Algorithm.FAST,
        previous=None,
        fetch=fetch,
        progress=RecordedProgress(),
        seed=seed,
        max_minutes=60,
    )
    return Split(training_set, refs[middle:end], truths[middle:end])


def clocked(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def train_plain(data: Path, split: Split, epochs: int, home: Path) -> Path:
    """What `yolo detect train` does; images and labels are written beforehand, uncounted."""
    library = setup.import_configured(home)
    model = library.YOLO(str(START))
    model.train(
        data=str(data),
        epochs=epochs,
        imgsz=SIZE,
        seed=split.training_set.seed,
        device="cpu",
        project=str(home),
        name="plain",
        exist_ok=True,
        plots=False,
        verbose=False,
    )
    return home / "plain" / "weights" / "best.pt"


def yaml_of(split: Split, folder: Path) -> Path:
    images = write(split.training_set, folder)
    names = list(split.training_set.control.labels)
    path = folder / "data.yaml"
    path.write_text(f"train: {images['train']}\nval: {images['val']}\nnames: {names}\n")
    return path


def map50(network: Any, split: Split) -> float:
    labels = split.training_set.control.labels
    found = detect(network, split.test, fetch, labels, 0.001, RecordedProgress())
    return mean_average_precision(found, split.truths, labels)


def map50_by_ultralytics(checkpoint: Path, split: Split, folder: Path) -> float:
    tested = Split(
        TrainingSet(
            **{
                name: getattr(split.training_set, name)
                for name in TrainingSet.__dataclass_fields__
                if not name.startswith("held_out")
            },
            held_out=image_batch(split.test),
            held_out_answers=split.truths,
        ),
        split.test,
        split.truths,
    )
    data = yaml_of(tested, folder / f"test-{checkpoint.stem}")
    model = setup.import_configured(folder).YOLO(str(checkpoint))
    found = model.val(
        data=str(data), imgsz=SIZE, device="cpu", plots=False, verbose=False, project=str(folder)
    )
    return float(found.box.map50)


def compare_training(seed: int, epochs: int, folder: Path) -> tuple[Run, Run]:
    chosen = split(seed)
    engine = UltralyticsEngine(str(START), folder)
    family = DetectorFamily(engine, image_size=SIZE, epochs=epochs)
    data = yaml_of(chosen, folder / "plain-data")

    def ours() -> Run:
        model, seconds, cpu = clocked(lambda: family.fit(chosen.training_set))
        (folder / "ours").mkdir()
        model.save(folder / "ours")
        checkpoint = (folder / "ours" / "weights.pt").rename(folder / "ours.pt")
        theirs = map50_by_ultralytics(checkpoint, chosen, folder)
        return Run(map50(model.network, chosen), theirs, seconds, cpu)

    def plain() -> Run:
        best, seconds, cpu = clocked(lambda: train_plain(data, chosen, epochs, folder))
        (folder / "loaded").mkdir()
        (folder / "loaded" / "weights.pt").write_bytes(best.read_bytes())
        network = engine.load(folder / "loaded")
        return Run(map50(network, chosen), map50_by_ultralytics(best, chosen, folder), seconds, cpu)

    if seed % 2:
        own, other = ours(), plain()
    else:
        other, own = plain(), ours()
    return own, other


def bench_training(seeds: Sequence[int], epochs: int) -> None:
    runs: list[tuple[Run, Run]] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(compare_training(seed, epochs, Path(folder)))
        print(f"seed {seed}: ours {runs[-1][0]}; plain {runs[-1][1]}", flush=True)
    gains = [own.map50 - other.map50 for own, other in runs]
    wall = statistics.median(own.seconds / other.seconds for own, other in runs)
    cpu = statistics.median(own.cpu / other.cpu for own, other in runs)
    print(f"mAP50 ours minus plain: least {min(gains):+.3f}, mean {statistics.mean(gains):+.3f}")
    print(f"time ours / plain, median: {wall:.2f} (processors {cpu:.2f}); at most 1.15 wanted")


def bench_prediction(rounds: int) -> None:
    chosen = split(0)
    files = [ref.uri for ref in chosen.test]
    with tempfile.TemporaryDirectory() as folder:
        engine = UltralyticsEngine(str(START), Path(folder))
        (Path(folder) / "weights.pt").write_bytes(START.read_bytes())
        network = engine._network(Path(folder) / "weights.pt", SIZE)
        bare = setup.import_configured(Path(folder)).YOLO(str(START))
        names = [bare.names[at] for at in sorted(bare.names)]
        options = {"imgsz": SIZE, "device": "cpu", "verbose": False}
        ways: dict[str, Callable[[], Any]] = {
            "ours": lambda: detect(network, chosen.test, fetch, names, 0.05, RecordedProgress()),
            "bare": lambda: bare.predict(files, batch=16, **options),
            "one by one": lambda: [bare.predict(file, **options) for file in files],
        }
        for work in ways.values():
            work()
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, work in ways.items():
                _, seconds, cpu = clocked(work)
                rates[name].append(len(files) / seconds)
                print(
                    f"{name}: {len(files) / seconds:.1f} images/s wall, {len(files) / cpu:.1f} cpu"
                )
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print({name: round(rate, 1) for name, rate in middle.items()}, "images a second, median")
    print(f"ours / bare {middle['ours'] / middle['bare']:.2f}; at least 0.9 wanted")
    print(f"ours / one by one {middle['ours'] / middle['one by one']:.2f}; at least 1.5 wanted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "predict"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.what == "train":
        bench_training(chosen.seeds, chosen.epochs)
    else:
        bench_prediction(chosen.rounds)


if __name__ == "__main__":
    main()
