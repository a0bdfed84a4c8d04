"""The family that learns rectangles, around whichever engine `AUTOLABEL_DETECTOR` names."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain.answers import ImageRef, Regions
from backend.domain.arrays import Floats
from backend.domain.errors import UnreadableImage
from backend.domain.ids import Label
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.models.detection import detector, label_powerset, pseudo_labels
from backend.models.detection.average_precision import at_least
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.detector import Detector
from backend.models.detection.engine import Engine, Network, Trained
from backend.models.detection.evaluation import evaluate
from backend.models.detection.thresholds import CANDIDATE, NOTHING_EXPECTED, surplus
from backend.models.detection.training_plan import TrainingPlan, plan
from backend.ports.model_family import TrainingSet
from backend.ports.progress import Progress
from backend.settings import Settings

PERMISSIVE = "torchvision:"
"""How `AUTOLABEL_DETECTOR` names a network of torchvision's."""

_EVALUATED = 0.01
"""Score from which boxes count in average precision; below, they add time and next to nothing."""


ENOUGH = 20
"""Held-out images from which on they alone choose the thresholds."""

SAMPLE = 32
"""Unlabeled images on which boxes are counted where there are fewer."""


def detector_family(settings: Settings, device: str) -> "DetectorFamily":
    """The family for these settings; `device` as torch names it. Imports no torch."""
    across = settings.nms_across_labels
    if settings.detector.startswith(PERMISSIVE):
        from backend.models.detection.torchvision_engine.detector import TorchvisionEngine  # noqa: PLC0415  torch

        start = settings.detector.removeprefix(PERMISSIVE)
        return DetectorFamily(TorchvisionEngine(start, settings.data_dir, device, across))
    from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine  # noqa: PLC0415

    return DetectorFamily(UltralyticsEngine(settings.detector, settings.data_dir, device, across))


@dataclass(frozen=True, slots=True)
class Start:
    """What a network is to know, and the folder of one that knows it already, to go on from."""

    classes: tuple[Label, ...]
    previous: Path | None


@dataclass(frozen=True, slots=True)
class DetectorFamily:
    """Implements `model_family.Family` for rectangles.

    `image_size` and `epochs` overrule the training plan, for measurements.
    """

    engine: Engine
    image_size: int | None = None
    epochs: int | None = None

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return frozenset({TaskKind.DETECTION})

    def check(self) -> None:
        self.engine.check()

    def fit(self, training_set: TrainingSet) -> Detector:
        capitalize_first = time.monotonic()
        start = _start(training_set, self.engine.start)
        chosen = self._plan(training_set, goes_on=start.previous is not None)
        if training_set.algorithm is Algorithm.FAST or not len(training_set.unlabeled):
            return self._trained(training_set, chosen, start)
        teacher = self._trained(
            training_set, replace(chosen, minutes=training_set.max_minutes / 2), start
        )
        left = training_set.max_minutes - (time.monotonic() - capitalize_first) / 60
        return self._student(training_set, replace(chosen, minutes=left), teacher, start)

    def load(self, folder: Path, control: Control) -> Detector:
        return detector.load(folder, control, self.engine.load(folder))

    def _plan(self, training_set: TrainingSet, *, goes_on: bool) -> TrainingPlan:
        chosen = plan(
            training_set.train_answers,
            on_gpu=self.engine.on_gpu,
            minutes=training_set.max_minutes,
            goes_on=goes_on,
        )
        size = self.image_size or chosen.image_size
        return replace(chosen, image_size=size, epochs=self.epochs or chosen.epochs)

    def _trained(self, training_set: TrainingSet, chosen: TrainingPlan, start: Start) -> Detector:
        """Train, and judge the result on the held-out images."""
        capitalize_first = time.monotonic()
        merged = label_powerset.merged(training_set, start.classes)
        trained = self.engine.train(merged, chosen, start.previous)
        seconds = time.monotonic() - capitalize_first
        truths = [answer for answer in training_set.held_out_answers if isinstance(answer, Regions)]
        found = _find(
            trained.network, start.classes, training_set, training_set.held_out.refs, _EVALUATED
        )
        candidates = [at_least(image, CANDIDATE) for image in found]
        expected = _expected(trained.network, start.classes, training_set)
        judged = evaluate(found, truths, training_set.control.labels, training_set.seed, expected)
        about = _notes(
            self.engine.start, chosen, trained, len(training_set.train), seconds, start.previous
        )
        return Detector(
            trained.network,
            self.engine.start,
            start.classes,
            training_set.control.labels,
            BoxConfidence.fit(candidates, truths, training_set.control.labels, expected),
            judged.figures,
            {**about, **judged.tables},
        )

    def _student(
        self, training_set: TrainingSet, chosen: TrainingPlan, teacher: Detector, start: Start
    ) -> Detector:
        """The student, if it beats the teacher on the held-out images, else the teacher."""
        training_set = pseudo_labels.sampled(training_set)
        taught = self._taught(training_set, teacher)
        tried: dict[str, Any] = {
            "name": "teacher and student",
            "images": len(taught.positions),
            "before": teacher.metrics.get("map50"),
            "kept": False,
        }
        if tried["before"] is None:
            return _with(teacher, tried | {"reason": "no box is held out to compare on"})
        if not taught.positions:
            return _with(teacher, tried | {"reason": "the teacher was sure of no unlabeled image"})
        if chosen.minutes <= 0:
            return _with(teacher, tried | {"reason": "the training time was used up"})
        student = self._trained(pseudo_labels.extended(training_set, taught), chosen, start)
        tried["after"] = student.metrics["map50"]
        if student.metrics["map50"] > teacher.metrics["map50"]:
            return _with(student, tried | {"kept": True, "reason": "mAP50 on held-out rose"})
        return _with(teacher, tried | {"reason": "mAP50 on held-out did not rise"})

    def _taught(self, training_set: TrainingSet, teacher: Detector) -> pseudo_labels.Taught:
        truths = [answer for answer in training_set.held_out_answers if isinstance(answer, Regions)]
        seen = _find(
            teacher.network, teacher.classes, training_set, training_set.held_out.refs, CANDIDATE
        )
        sure = pseudo_labels.sure_thresholds(seen, truths, teacher.judge)
        found = _find(
            teacher.network, teacher.classes, training_set, training_set.unlabeled.refs, CANDIDATE
        )
        limit = pseudo_labels.PER_LABELED * len(training_set.train)
        return pseudo_labels.teach(found, teacher.judge.confidence(found), sure, limit)


def _expected(
    network: Network, classes: Sequence[Label], training_set: TrainingSet
) -> Mapping[Label, Floats]:
    """What to expect of a threshold, where too few held-out images would tell."""
    if len(training_set.held_out) >= ENOUGH:
        return NOTHING_EXPECTED
    rows = np.random.default_rng(training_set.seed).permutation(len(training_set.unlabeled))[
        :SAMPLE
    ]
    try:
        refs = training_set.unlabeled.take(np.sort(rows)).refs
        seen = _find(network, classes, training_set, refs, CANDIDATE)
    except UnreadableImage:  # gone since the first look; the prediction names it
        return NOTHING_EXPECTED
    answers = (*training_set.train_answers, *training_set.held_out_answers)
    drawn = [answer for answer in answers if isinstance(answer, Regions)]
    return surplus(seen, drawn, training_set.control.labels)


def _find(
    network: Network,
    classes: Sequence[Label],
    training_set: TrainingSet,
    refs: Sequence[ImageRef],
    floor: float,
) -> list[Regions]:
    progress = _measuring(training_set.progress)
    return detector.find(network, refs, training_set.fetch, classes, floor, progress)


def _measuring(progress: Progress) -> Progress:
    """To look at images is a part of the training here, whose bar epochs alone move."""

    def report(_step: str, _done: int, _of: int) -> None:
        progress("train: measuring", 0, 1)

    return report


def _start(training_set: TrainingSet, start: str) -> Start:
    """The previous version, where it began likewise, with the same labels and all sets needed."""
    labels = training_set.control.labels
    wanted = label_powerset.classes(labels, training_set.train_answers)
    known = detector.classes(training_set.previous, start) if training_set.previous else ()
    goes_on = known[: len(labels)] == labels and set(wanted) <= set(known)
    return Start(known, training_set.previous) if goes_on else Start(wanted, None)


def _with(model: Detector, tried: Mapping[str, Any]) -> Detector:
    return replace(model, notes={**model.notes, "tried": [*model.notes["tried"], tried]})


def _notes(
    start: str,
    chosen: TrainingPlan,
    trained: Trained,
    images: int,
    seconds: float,
    previous: Path | None,
) -> dict[str, Any]:
    return {
        "start": "previous version" if previous else start,
        "epochs": trained.epochs,
        "image_size": chosen.image_size,
        "batch": chosen.batch,
        "frozen": chosen.frozen,
        "seconds": round(seconds, 1),
        "images_per_second": round(images * trained.epochs / max(seconds, 1e-9), 1),
        "tried": [],
    }
