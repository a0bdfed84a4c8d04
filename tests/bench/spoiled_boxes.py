"""Boxes of which some are wrong, and what a detector that learned from such boxes predicts."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.domain.answers import Region, Regions
from backend.domain.geometry import clipped, iou
from backend.domain.ids import Label
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.policies.certification.correctness import SAME_BOX
from tests.bench import bench_detection as detection
from tests.fakes.detection_training_sets import RecordedProgress, fetch, image_batch

LEARN, EPOCHS, SIZE = 60, 20, 320
MOVED = (0.4, 0.8)
"""How far a box is moved, in parts of its width and height."""


@dataclass(frozen=True)
class Spoiled:
    """The boxes of an image after some were spoiled, and what those were before."""

    given: Regions
    errors: tuple[Region, ...]

    def place_of(self, predicted: Region) -> int:
        """Return the place of the error that this box puts right; -1 where there is none."""
        for place, truth in enumerate(self.errors):
            if truth.label == predicted.label and iou(truth.box, predicted.box) >= SAME_BOX:
                return place
        return -1


def spoil(
    truth: Regions, labels: Sequence[Label], noise: float, rng: np.random.Generator
) -> Spoiled:
    """Move, drop or rename a share of the boxes."""
    given, errors = list[Region](), list[Region]()
    for region in truth.regions:
        if rng.random() >= noise:
            given.append(region)
            continue
        how: Callable[..., Region | None] = (_moved, _dropped, _renamed)[rng.integers(3)]
        wrong = how(region, labels, rng)
        errors.append(region)
        if wrong is not None:
            given.append(wrong)
    return Spoiled(Regions(tuple(given)), tuple(errors))


def _moved(region: Region, _labels: Sequence[Label], rng: np.random.Generator) -> Region | None:
    """Move it so far that it is no longer the same box; drop it where no place is left."""
    box = region.box
    for _ in range(50):
        across, down = rng.choice([-1, 1], 2) * rng.uniform(*MOVED, 2)
        place = (across * box.width, down * box.height) * 2
        corners = np.add((box.left, box.top, box.right, box.bottom), place)
        moved = clipped(*(float(corner) for corner in corners))
        if moved and iou(moved, box) < SAME_BOX:
            return replace(region, box=moved)
    return None


def _dropped(_region: Region, _labels: Sequence[Label], _rng: np.random.Generator) -> None:
    return None


def _renamed(region: Region, labels: Sequence[Label], rng: np.random.Generator) -> Region:
    others = [label for label in labels if label != region.label]
    return replace(region, label=others[rng.integers(len(others))])


@dataclass(frozen=True)
class Detected:
    """Images that the detector has not seen: what is true, and what it predicts."""

    labels: tuple[Label, ...]
    truths: Sequence[Regions]
    predictions: Sequence[Regions]


def detected(noise: float, seed: int = 0) -> Detected:
    """Train a detector on blood cells of which this share of the boxes is wrong."""
    detection.LEARN, detection.TEST = LEARN, 10_000
    split = detection.split(seed)
    labels, rng = split.training_set.control.labels, np.random.default_rng([seed, 1])
    learned, held_out = (
        [spoil(one, labels, noise, rng).given for one in answers]
        for answers in (split.training_set.train_answers, split.training_set.held_out_answers)
    )
    noisy = replace(split.training_set, train_answers=learned, held_out_answers=held_out)
    with tempfile.TemporaryDirectory() as folder:
        engine = UltralyticsEngine(str(detection.START), Path(folder))
        family = DetectorFamily(engine, image_size=SIZE, epochs=EPOCHS)
        model = family.fit(noisy)
        predicted = model.predict(image_batch(split.test), fetch, RecordedProgress())
    answers = [one for one in predicted.answers if isinstance(one, Regions)]
    assert len(answers) == len(split.truths)
    return Detected(labels, split.truths, answers)
