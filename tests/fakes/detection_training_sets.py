"""Training sets of coloured shapes, and progress that is recorded or stops the work."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from backend.domain.answers import Answer, ImageRef, Region, Regions
from backend.domain.batches import IMAGE_STATS, ImageBatch
from backend.domain.errors import Stopped, UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.ports.model_family import TrainingSet

SQUARE, DISC, RED = Label("square"), Label("disc"), Label("red")
CONTROL = Control(ControlName("box"), "image", TaskKind.DETECTION, (SQUARE, DISC))


@dataclass
class RecordedProgress:
    """Records progress; stops the work after so many reports of the given step."""

    stop_in: str = ""
    after: int = 0
    reports: list[tuple[str, int, int]] = field(default_factory=list)
    stopped: bool = False

    def __call__(self, step: str, done: int, of: int, detail: str = "") -> None:
        assert not self.stopped, "work went on after it was stopped"
        step = f"{step}: {detail}" if detail else step
        self.reports.append((step, done, of))
        if self.stop_in and sum(self.stop_in in step for step, _, _ in self.reports) > self.after:
            self.stopped = True
            raise Stopped


def fetch(ref: ImageRef) -> Path:
    path = Path(ref.uri)
    if not path.is_file():
        raise UnreadableImage(f"{path.name} is gone")
    return path


def shapes(folder: Path, count: int, seed: int, first: int = 1) -> tuple[ImageBatch, list[Regions]]:
    """Images of 160x120 with up to three shapes each.

    Every fifth image is empty; every third is a JPEG from a camera held on its side.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    drawn = [
        _draw(folder, TaskId(first + at), 0 if at % 5 == 4 else int(rng.integers(1, 4)), rng)
        for at in range(count)
    ]
    return image_batch([ref for ref, _ in drawn]), [truth for _, truth in drawn]


def image_batch(refs: Sequence[ImageRef]) -> ImageBatch:
    return ImageBatch(
        tuple(refs),
        np.zeros((len(refs), 4), dtype=np.float16),
        np.zeros((len(refs), len(IMAGE_STATS)), dtype=np.float32),
    )


def training_set(
    folder: Path, train: int = 10, held_out: int = 10, **changes: object
) -> TrainingSet:
    learn, learn_truth = shapes(folder / "train", train, 1)
    judge, judge_truth = shapes(folder / "held-out", held_out, 2, first=1001)
    values: dict[str, object] = {
        "control": CONTROL,
        "train": learn,
        "train_answers": learn_truth,
        "held_out": judge,
        "held_out_answers": judge_truth,
        "unlabeled": image_batch([]),
        "algorithm": Algorithm.FAST,
        "previous": None,
        "fetch": fetch,
        "progress": RecordedProgress(),
        "seed": 0,
        "max_minutes": 10.0,
    }
    return TrainingSet(**{**values, **changes})


def red_squares(plain: TrainingSet) -> TrainingSet:
    """The training set with a third label, which every square has too."""
    return replace(
        plain,
        control=replace(CONTROL, labels=(*CONTROL.labels, RED)),
        train_answers=[_reddened(answer) for answer in plain.train_answers],
        held_out_answers=[_reddened(answer) for answer in plain.held_out_answers],
    )


def _reddened(answer: Answer) -> Regions:
    assert isinstance(answer, Regions)
    red = [Region(one.box, RED) for one in answer.regions if one.label == SQUARE]
    return Regions((*answer.regions, *red))


def _draw(
    folder: Path, task: TaskId, count: int, rng: np.random.Generator
) -> tuple[ImageRef, Regions]:
    width, height = 160, 120
    image = Image.new("RGB", (width, height), tuple(rng.integers(150, 220, 3).tolist()))
    pen = ImageDraw.Draw(image)
    regions: list[Region] = []
    for slot in rng.permutation(3)[:count]:
        size = int(rng.integers(28, 44))
        left = int(slot) * 53 + int(rng.integers(0, 53 - size))
        top = int(rng.integers(0, height - size))
        label = [SQUARE, DISC][int(rng.integers(2))]
        corners = (left, top, left + size - 1, top + size - 1)
        if label == SQUARE:
            pen.rectangle(corners, fill=(200, 30, 30))
        else:
            pen.ellipse(corners, fill=(30, 60, 200))
        box = Box(left / width, top / height, (left + size) / width, (top + size) / height)
        regions.append(Region(box, label))
    path = _save(image, folder / str(task), sideways=task % 3 == 0)
    return ImageRef(task, str(path)), Regions(tuple(regions))


def _save(image: Image.Image, path: Path, *, sideways: bool) -> Path:
    if not sideways:
        image.save(path.with_suffix(".png"))
        return path.with_suffix(".png")
    exif = Image.Exif()
    exif[274] = 6
    image.rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=exif, quality=95)
    return path.with_suffix(".jpg")
