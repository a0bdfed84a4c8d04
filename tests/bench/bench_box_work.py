"""What is left to do for a person who confirms predicted boxes? The input of `human_time`.

    python -m tests.bench.bench_box_work [bccd] [coco256]

The edits that the predictions of all images but 60 need, by kind, and how many images need none.
`bccd`: one training on the 60, from `yolo11n.pt`. `coco256`: no training; `yolo11n.pt` is imported
and calibrated on the 60. It learned from COCO, so it has probably seen these images, which flatters
it. Some minutes a data set on a CPU.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.demo.box_datasets import read
from backend.domain.answers import ImageRef, Regions
from backend.domain.ids import ControlName, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.detection.edits import Edits, edits
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.models.imported.family import ImportedModels
from backend.models.imported.reading import ModelFiles
from backend.policies.certification import held_out
from backend.ports.model_family import Model, TrainingSet
from backend.services.training.train import HELD_OUT
from backend.settings import Settings
from tests.bench.bench_detection import SHARED, SIZE, START
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

LABELED = 60
EPOCHS = 20


@dataclass(frozen=True)
class Outcome:
    """Counts over the images that nobody labeled; `right` are shown boxes that stay as they are."""

    images: int
    without_edit: int
    boxes: int
    right: int
    edits: Edits


@dataclass(frozen=True)
class Parts:
    """A data set, divided into the images that a person labeled and the rest."""

    control: Control
    known: Sequence[ImageRef]
    answers: Sequence[Regions]
    rest: Sequence[ImageRef]
    truths: Sequence[Regions]


def divided(name: str, seed: int = 0) -> Parts:
    data = read(SHARED / "data" / name)
    refs = [ImageRef(TaskId(at), str(path)) for at, (path, _) in enumerate(data.images)]
    truths = [truth for _, truth in data.images]
    order = np.random.default_rng(seed).permutation(len(refs)).tolist()
    known, rest = order[:LABELED], order[LABELED:]
    return Parts(
        Control(ControlName("box"), "image", TaskKind.DETECTION, data.labels),
        [refs[at] for at in known],
        [truths[at] for at in known],
        [refs[at] for at in rest],
        [truths[at] for at in rest],
    )


def trained(parts: Parts, home: Path) -> Model:
    learn, hold = held_out.split([ref.task for ref in parts.known], parts.answers, 0, HELD_OUT)
    training_set = TrainingSet(
        control=parts.control,
        train=image_batch([parts.known[row] for row in learn]),
        train_answers=[parts.answers[row] for row in learn],
        held_out=image_batch([parts.known[row] for row in hold]),
        held_out_answers=[parts.answers[row] for row in hold],
        unlabeled=image_batch([]),
        algorithm=Algorithm.FAST,
        previous=None,
        fetch=fetch,
        progress=RecordedProgress(),
        seed=0,
        max_minutes=120,
    )
    engine = UltralyticsEngine(str(START), home)
    return DetectorFamily(engine, image_size=SIZE, epochs=EPOCHS).fit(training_set)


def imported(parts: Parts, home: Path) -> Model:
    settings = Settings(data_dir=home, device="cpu")
    opened = ModelFiles(settings).open(str(START), trust=False)
    folder = home / "version"
    folder.mkdir()
    opened.write(folder, {str(label): label for label in parts.control.labels})
    model = ImportedModels(settings, "cpu")(folder, parts.control)
    known = image_batch(parts.known)
    return model.calibrated_on(known, parts.answers, fetch, RecordedProgress())


WAYS: dict[str, Callable[[Parts, Path], Model]] = {"bccd": trained, "coco256": imported}


def measure(name: str) -> Outcome:
    parts = divided(name)
    with tempfile.TemporaryDirectory() as home:
        model = WAYS[name](parts, Path(home))
        shown = model.predict(image_batch(parts.rest), fetch, RecordedProgress())
    return counted(shown.answers, parts.truths)


def counted(answers: Sequence[Regions], truths: Sequence[Regions]) -> Outcome:
    found = [edits(answer, truth) for answer, truth in zip(answers, truths, strict=True)]
    total = Edits(*(sum(getattr(one, kind) for one in found) for kind in Edits.__slots__))
    shown = sum(len(answer.regions) for answer in answers)
    return Outcome(
        images=len(truths),
        without_edit=sum(not one.total for one in found),
        boxes=sum(len(truth.regions) for truth in truths),
        right=shown - total.delete - total.move - total.relabel,
        edits=total,
    )


def main(wanted: Sequence[str]) -> None:
    if not START.is_file():
        sys.exit(f"no detector to start from: {START} is missing")
    for name in wanted or WAYS:
        began = time.perf_counter()
        outcome = measure(name)
        seconds = time.perf_counter() - began
        print(f"{name}, {LABELED} labeled: {outcome}   {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
