"""Write a training set in the YOLO format: `images/SPLIT/NAME`, `labels/SPLIT/NAME.txt`.

A line of a label file is `label x y width height`: the label's position in the control, then
centre and size as fractions of the upright image. An empty file is an image without boxes.
"""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from backend.domain.answers import Answer, Region, Regions
from backend.domain.arrays import Pixels
from backend.domain.batches import ImageBatch
from backend.domain.errors import OutOfSpace
from backend.domain.ids import Label
from backend.domain.steps import Step
from backend.models.detection.training_plan import SIZES
from backend.models.images.decoding import opened
from backend.models.images.upright import is_plain, reading
from backend.ports.model_family import TrainingSet

LONGEST = 2 * SIZES[-1]
"""Longer side, in pixels, of images that are re-encoded; networks see half of it at most."""


def write(training_set: TrainingSet, folder: Path) -> Mapping[str, Path]:
    """Write both splits, and return their image folders, `train` and `val`.

    Without held-out images the training images serve as `val` too, because Ultralytics needs one.

    Raises:
        UnreadableImage: when an image cannot be fetched or decoded.
        OutOfSpace: when the disk is full.
        Stopped: when `training_set.progress` raises it.
    """
    held_out = training_set.held_out, training_set.held_out_answers
    train = training_set.train, training_set.train_answers
    splits = {"train": train, "val": held_out if len(training_set.held_out) else train}
    try:
        return {
            name: _write_split(folder, name, *split, training_set) for name, split in splits.items()
        }
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise OutOfSpace("no space for the images to train on", "Free some disk") from exc
        raise


def label_lines(answer: Answer, labels: Sequence[Label]) -> list[str]:
    """Format one line per rectangle; none for an image annotated as empty."""
    regions = answer.regions if isinstance(answer, Regions) else ()
    return [_line(region, labels) for region in regions if region.label in labels]


def _line(region: Region, labels: Sequence[Label]) -> str:
    box = region.box
    centre = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    numbers = (*centre, box.width, box.height)
    return " ".join([str(labels.index(region.label)), *(f"{number:.7f}" for number in numbers)])


def _write_split(
    folder: Path,
    name: str,
    images_of_split: ImageBatch,
    answers: Sequence[Answer],
    training_set: TrainingSet,
) -> Path:
    images, lines = folder / "images" / name, folder / "labels" / name
    images.mkdir(parents=True)
    lines.mkdir(parents=True)
    for position, (ref, answer) in enumerate(zip(images_of_split.refs, answers, strict=True)):
        training_set.progress(Step.TRAIN, 0, 1, "reading images")  # only epochs advance the bar
        stem = f"{position:06d}-task-{ref.task}"
        _place(training_set.fetch(ref), images, stem)
        rows = "\n".join(label_lines(answer, training_set.control.labels))
        (lines / f"{stem}.txt").write_text(rows, "utf-8")
    return images


def _place(source: Path, images: Path, stem: str) -> None:
    """Link the file if OpenCV decodes it as browsers show it, else write its upright pixels.

    A hard link, or a copy on another file system, stays when the cache evicts the original.
    """
    if is_plain(source) and not _would_be_rewritten(source):
        with opened(source) as image:
            suffix = {"JPEG": ".jpg", "PNG": ".png"}.get(image.format or "", ".bmp")
        _link(source.resolve(), images / f"{stem}{suffix}")
        return
    with reading(source) as pixels:
        written = cv2.imwrite(str(images / f"{stem}.png"), _no_larger(pixels))
    if not written:
        raise OSError(errno.ENOSPC, "OpenCV could not write an image")


def _would_be_rewritten(source: Path) -> bool:
    """Tell whether data follow the end marker of a JPEG: Ultralytics rewrites it in place."""
    with source.open("rb") as file:
        is_jpeg = file.read(2) == b"\xff\xd8"
        file.seek(-2, os.SEEK_END)
        return is_jpeg and file.read() != b"\xff\xd9"


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _no_larger(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
