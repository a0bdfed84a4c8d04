"""What is left to do for a person who confirms predicted boxes? The input of `human_time`.

    python -m tests.bench.bench_box_work [bccd] [coco256]

One training on few labeled images, chosen by chance; the edits that the predictions of all other
images need, by kind, and how many images need none. Some minutes a data set on a CPU.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.demo.box_datasets import BoxDataset, read
from backend.domain.answers import ImageRef
from backend.domain.ids import ControlName, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.detection.edits import Edits, edits
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.policies.certification import held_out
from backend.ports.model_family import TrainingSet
from backend.services.training.train import HELD_OUT
from tests.bench.bench_detection import SHARED, SIZE, START
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

LABELED = {"bccd": 60, "coco256": 60}
EPOCHS = 20


@dataclass(frozen=True)
class Outcome:
    """Counts over the images that nobody labeled; `right` are shown boxes that stay as they are."""

    images: int
    without_edit: int
    boxes: int
    right: int
    edits: Edits


def measure(data: BoxDataset, labeled: int, seed: int) -> Outcome:
    refs = [ImageRef(TaskId(at), str(path)) for at, (path, _) in enumerate(data.images)]
    truths = [truth for _, truth in data.images]
    order = np.random.default_rng(seed).permutation(len(refs)).tolist()
    known, rest = order[:labeled], order[labeled:]
    answers = [truths[at] for at in known]
    learn, hold = held_out.split([refs[at].task for at in known], answers, seed, HELD_OUT)
    training_set = TrainingSet(
        control=Control(ControlName("box"), "image", TaskKind.DETECTION, data.labels),
        train=image_batch([refs[known[row]] for row in learn]),
        train_answers=[answers[row] for row in learn],
        held_out=image_batch([refs[known[row]] for row in hold]),
        held_out_answers=[answers[row] for row in hold],
        unlabeled=image_batch([]),
        algorithm=Algorithm.FAST,
        previous=None,
        fetch=fetch,
        progress=RecordedProgress(),
        seed=seed,
        max_minutes=120,
    )
    with tempfile.TemporaryDirectory() as home:
        family = DetectorFamily(
            UltralyticsEngine(str(START), Path(home)), image_size=SIZE, epochs=EPOCHS
        )
        model = family.fit(training_set)
        shown = model.predict(image_batch([refs[at] for at in rest]), fetch, RecordedProgress())
    return counted(shown.answers, [truths[at] for at in rest])


def counted(answers: Sequence, truths: Sequence) -> Outcome:
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
    for name in wanted or LABELED:
        began = time.perf_counter()
        outcome = measure(read(SHARED / "data" / name), LABELED[name], seed=0)
        seconds = time.perf_counter() - began
        print(f"{name}, {LABELED[name]} labeled: {outcome}   {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
