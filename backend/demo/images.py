"""Images with known labels for the demo: handwritten digits, or a folder of the user."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from backend.demo import box_datasets
from backend.domain.answers import Answer, Choices, Regions
from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.schema import TaskKind
from backend.models.images.upright import upright_size

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif"}
"""Image files that Label Studio accepts as uploads and browsers can display."""

TAGS = {TaskKind.SINGLE: ("Choices", "Choice"), TaskKind.DETECTION: ("RectangleLabels", "Label")}
DIGITS = 300
DIGIT_SIZE = 96


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and its true answer."""

    path: Path
    truth: Answer


@dataclass(frozen=True, slots=True)
class DemoSet:
    """A named set of images; `labels` are in the order of the labeling config."""

    name: str
    kind: TaskKind
    labels: tuple[Label, ...]
    samples: Sequence[Sample]

    @property
    def images(self) -> Counter[Label]:
        """Number of images with each label."""
        return Counter(label for sample in self.samples for label in sample.truth.labels)

    def label_config(self) -> str:
        """Write the labeling config for these labels."""
        control, option = TAGS[self.kind]
        options = "".join(f"<{option} value={quoteattr(label)}/>" for label in self.labels)
        return (
            f'<View><Image name="image" value="$image"/>'
            f'<{control} name="label" toName="image">{options}</{control}></View>'
        )


def without_rare_labels(images: DemoSet, least: int) -> DemoSet:
    """Drop labels that are on fewer than `least` images.

    Raises:
        BadInput: when fewer than two labels are left.
    """
    counts = images.images
    labels = tuple(label for label in images.labels if counts[label] >= least)
    if len(labels) < 2:
        what = f"{images.name} has {len(labels)} labels on {least} images or more, a job needs 2"
        raise BadInput(what, "Give a folder with more images")
    truths = [(sample.path, _about(sample.truth, labels)) for sample in images.samples]
    samples = [Sample(path, truth) for path, truth in truths if truth]
    return replace(images, labels=labels, samples=samples)


def _about(truth: Answer, labels: Sequence[Label]) -> Answer | None:
    """Restrict an answer to these labels. Without any choice it is None; without boxes it stays."""
    match truth:
        case Choices():
            kept = tuple(label for label in truth.labels if label in labels)
            return Choices(kept) if kept else None
        case Regions():
            return Regions(tuple(region for region in truth.regions if region.label in labels))


def to_annotate(images: DemoSet, per_class: int) -> list[int]:
    """Choose positions of images to annotate, in random order: at most half of each label's images.

    The other half is left to predict.
    """
    wanted = {label: min(per_class, count // 2) for label, count in images.images.items()}
    order = list(range(len(images.samples)))
    random.Random(0).shuffle(order)  # noqa: S311 - no secret
    counts: Counter[Label] = Counter()
    chosen: list[int] = []
    for position in order:
        labels = images.samples[position].truth.labels
        if any(counts[label] < wanted[label] for label in labels):
            counts.update(labels)
            chosen.append(position)
    return chosen


def digits(folder: Path) -> DemoSet:
    """Write 300 of scikit-learn's handwritten digits (UCI, CC BY 4.0) as PNG files.

    Raises:
        BadInput: when scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra, for the demo alone
    except ImportError as exc:
        hint = "pip install 'label-studio-autolabel[demo]', or give --images FOLDER"
        raise BadInput("the demo's digits come with scikit-learn, which is missing", hint) from exc
    folder.mkdir(parents=True, exist_ok=True)
    found = cast("dict[str, Any]", load_digits())
    images, target = np.asarray(found["images"]), np.asarray(found["target"])
    samples: list[Sample] = []
    for row in np.random.default_rng(0).permutation(len(target))[:DIGITS]:
        path = folder / f"digit-{row:04}.png"
        ink = Image.fromarray((255 - images[row] * 255 / 16).astype(np.uint8))
        ink.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC).save(path)
        samples.append(Sample(path, Choices((Label(str(target[row])),))))
    labels = tuple(Label(str(digit)) for digit in range(10))
    return DemoSet("handwritten digits", TaskKind.SINGLE, labels, samples)


def class_folders(folder: Path) -> DemoSet:
    """Read a folder with one sub-folder per class.

    Raises:
        BadInput: when there are fewer than two sub-folders with images.
    """
    classes = {
        Label(sub.name): [path for path in sorted(sub.iterdir()) if path.suffix.lower() in SUFFIXES]
        for sub in sorted(_existing(folder).iterdir())
        if sub.is_dir()
    }
    found = {label: paths for label, paths in classes.items() if paths}
    if len(found) < 2:
        hint = "Give a folder with one sub-folder of images per class, or --task detection"
        raise BadInput(f"{folder} has {len(found)} sub-folders with images", hint)
    samples = [Sample(path, Choices((label,))) for label, paths in found.items() for path in paths]
    return DemoSet(folder.name, TaskKind.SINGLE, tuple(found), samples)


def box_folder(folder: Path) -> DemoSet:
    """Read images with Pascal VOC or YOLO files, in formats that Label Studio accepts.

    Raises:
        BadInput: when there are none.
    """
    found = box_datasets.read(_existing(folder))
    samples = [
        Sample(path, regions) for path, regions in found.images if path.suffix.lower() in SUFFIXES
    ]
    return DemoSet(folder.name, TaskKind.DETECTION, found.labels, samples)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder", "Give an existing one with --images")
    return folder


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height in pixels after EXIF rotation."""
    with Image.open(path) as image:
        return upright_size(image)
