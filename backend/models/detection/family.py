"""The family of models that learns rectangles, with the engine that `AUTOLABEL_DETECTOR` names."""

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
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import Control, TaskKind
from backend.domain.steps import Step
from backend.models.detection import detector, label_powerset, pseudo_labels
from backend.models.detection.comparison import BoxComparison, compare
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.detector import Detector
from backend.models.detection.engine import Engine, Network, TrainedNetwork
from backend.models.detection.evaluation import evaluate
from backend.models.detection.pseudo_labels import PseudoLabels
from backend.models.detection.thresholds import CANDIDATE, NO_PRIOR, count_prior
from backend.models.detection.training_plan import TrainingPlan, plan
from backend.models.embedding.encoders import cpu_threads
from backend.ports.model_family import TrainingSet
from backend.ports.progress import Progress
from backend.settings import Settings

TORCHVISION, TRANSFORMERS = "torchvision:", "transformers:"
"""Prefixes of `AUTOLABEL_DETECTOR` that select an engine; everything else is Ultralytics."""

_EVALUATED = 0.01
"""Score from which boxes count in average precision; lower ones cost time and change little."""

ENOUGH = 20
"""Held-out images from which on they alone determine the thresholds."""

SAMPLE = 32
"""Unlabeled images on which boxes are counted where there are fewer held-out images."""


def detector_family(settings: Settings, device: str) -> "DetectorFamily":
    """Build the family for these settings; `device` as torch names it. Imports no torch."""
    return DetectorFamily(_engine(settings, device))


def _engine(settings: Settings, device: str) -> Engine:
    name, folder, across = settings.detector, settings.data_dir, settings.nms_across_labels
    if name.startswith(TORCHVISION):
        from backend.models.detection.torchvision_engine.detector import TorchvisionEngine  # noqa: PLC0415  torch

        return TorchvisionEngine(name.removeprefix(TORCHVISION), folder, device, across)
    threads = cpu_threads(settings)
    if name.startswith(TRANSFORMERS):
        from backend.models.detection.transformers_engine.detector import TransformersEngine  # noqa: PLC0415  torch

        start = name.removeprefix(TRANSFORMERS)
        return TransformersEngine(start, folder, device, across, threads)
    from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine  # noqa: PLC0415  torch

    return UltralyticsEngine(name, folder, device, across, threads)


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """The classes that a network learns, and the version that it continues from, if any."""

    classes: tuple[Label, ...]
    previous: Path | None


@dataclass(frozen=True, slots=True)
class DetectorFamily:
    """Implements `model_family.Family` for rectangles.

    `image_size` and `epochs` override the training plan in benchmarks.
    """

    engine: Engine
    image_size: int | None = None
    epochs: int | None = None

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return frozenset({TaskKind.DETECTION})

    def check(self, items: ItemKind = ItemKind.IMAGE) -> None:  # noqa: ARG002 - boxes are on images
        self.engine.check()

    def fit(self, training_set: TrainingSet) -> Detector:
        """Train a detector; a precise job then trains a second one with pseudo labels."""
        started = time.monotonic()
        start = _starting_point(training_set, self.engine.start)
        chosen = self._plan(training_set, continued=start.previous is not None)
        if training_set.algorithm is Algorithm.FAST or not len(training_set.unlabeled):
            return self._trained(training_set, chosen, start)
        half = replace(chosen, minutes=training_set.max_minutes / 2)
        teacher = self._trained(training_set, half, start)
        left = training_set.max_minutes - (time.monotonic() - started) / 60
        return self._student(training_set, replace(chosen, minutes=left), teacher, start)

    def load(self, folder: Path, control: Control) -> Detector:
        return detector.load(folder, control, self.engine.load(folder))

    def _plan(self, training_set: TrainingSet, *, continued: bool) -> TrainingPlan:
        chosen = plan(
            training_set.train_answers,
            on_gpu=self.engine.on_gpu,
            minutes=training_set.max_minutes,
            continued=continued,
        )
        size = self.image_size or chosen.image_size
        return replace(chosen, image_size=size, epochs=self.epochs or chosen.epochs)

    def _card(self) -> Mapping[str, str]:
        """Say what users of a version must know before they pass it on."""
        engine = self.engine
        return {"engine": engine.name, "license": engine.license, "base_model": engine.start}

    def _trained(
        self, training_set: TrainingSet, chosen: TrainingPlan, start: StartingPoint
    ) -> Detector:
        """Train, then evaluate and calibrate on the held-out images."""
        started = time.monotonic()
        encoded = label_powerset.encode(training_set, start.classes)
        trained = self.engine.train(encoded, chosen, start.previous)
        seconds = time.monotonic() - started
        network, labels = trained.network, training_set.control.labels
        images = _compared(network, start.classes, training_set, _EVALUATED)
        candidates = [image.at_least(CANDIDATE) for image in images]
        prior = _prior(network, start.classes, training_set)
        evaluation = evaluate(images, labels, training_set.seed, prior)
        notes = {**self._card(), **_notes(chosen, trained, len(training_set.train), seconds)}
        began = "previous version" if start.previous else self.engine.start
        return Detector(
            network,
            self.engine.start,
            start.classes,
            labels,
            BoxConfidence.fit(candidates, labels, prior),
            evaluation.metrics,
            {"start": began, **notes, **evaluation.tables},
        )

    def _student(
        self,
        training_set: TrainingSet,
        chosen: TrainingPlan,
        teacher: Detector,
        start: StartingPoint,
    ) -> Detector:
        """Train with pseudo labels; return the better detector by mAP50 on held-out images."""
        training_set = pseudo_labels.sampled(training_set)
        selected = _pseudo_labels(training_set, teacher)
        before = teacher.metrics.get("map50")
        tried = {
            "name": "teacher and student",
            "images": len(selected.positions),
            "before": before,
            "kept": False,
        }
        if before is None:
            return _with(teacher, tried | {"reason": "no box is held out to compare on"})
        if not selected.positions:
            return _with(
                teacher, tried | {"reason": "the teacher was confident of no unlabeled image"}
            )
        if chosen.minutes <= 0:
            return _with(teacher, tried | {"reason": "the training time was used up"})
        student = self._trained(pseudo_labels.extended(training_set, selected), chosen, start)
        tried["after"] = student.metrics["map50"]
        if student.metrics["map50"] > before:
            return _with(student, tried | {"kept": True, "reason": "mAP50 on held-out rose"})
        return _with(teacher, tried | {"reason": "mAP50 on held-out did not rise"})


def _pseudo_labels(training_set: TrainingSet, teacher: Detector) -> PseudoLabels:
    images = _compared(teacher.network, teacher.classes, training_set, CANDIDATE)
    thresholds = pseudo_labels.confident_thresholds(images, teacher.confidence.thresholds)
    refs = training_set.unlabeled.refs
    detections = _detect(teacher.network, teacher.classes, training_set, refs, CANDIDATE)
    confidence = teacher.confidence.confidence(detections)
    limit = pseudo_labels.PER_LABELED * len(training_set.train)
    return pseudo_labels.select(detections, confidence, thresholds, limit)


def _prior(
    network: Network, classes: Sequence[Label], training_set: TrainingSet
) -> Mapping[Label, Floats]:
    """Count boxes on unlabeled images where the held-out images are too few."""
    if len(training_set.held_out) >= ENOUGH:
        return NO_PRIOR
    rng = np.random.default_rng(training_set.seed)
    rows = rng.permutation(len(training_set.unlabeled))[:SAMPLE]
    refs = training_set.unlabeled.take(np.sort(rows)).refs
    try:
        candidates = _detect(network, classes, training_set, refs, CANDIDATE)
    except UnreadableImage:  # has disappeared since the job started; predicting reports it
        return NO_PRIOR
    answers = (*training_set.train_answers, *training_set.held_out_answers)
    drawn = [answer for answer in answers if isinstance(answer, Regions)]
    return count_prior(candidates, drawn, training_set.control.labels)


def _compared(
    network: Network, classes: Sequence[Label], training_set: TrainingSet, min_score: float
) -> list[BoxComparison]:
    """Compare the detections on the held-out images with their answers."""
    truths = [answer for answer in training_set.held_out_answers if isinstance(answer, Regions)]
    refs = training_set.held_out.refs
    return compare(_detect(network, classes, training_set, refs, min_score), truths)


def _detect(
    network: Network,
    classes: Sequence[Label],
    training_set: TrainingSet,
    refs: Sequence[ImageRef],
    min_score: float,
) -> list[Regions]:
    progress = _measuring(training_set.progress)
    return detector.detect(network, refs, training_set.fetch, classes, min_score, progress)


def _measuring(progress: Progress) -> Progress:
    """Report evaluation as part of training; only epochs advance the progress bar."""

    def report(_step: Step, _done: int, _of: int, _detail: str = "") -> None:
        progress(Step.TRAIN, 0, 1, "measuring")

    return report


def _starting_point(training_set: TrainingSet, start: str) -> StartingPoint:
    """Continue from the previous version if it started from the same weights and fits.

    It fits if its labels are those of the control and it knows all label sets that are needed.
    """
    labels = training_set.control.labels
    needed = label_powerset.classes(labels, training_set.train_answers)
    previous = training_set.previous
    known = detector.known_classes(previous, start) if previous else ()
    fits = known[: len(labels)] == labels and set(needed) <= set(known)
    return StartingPoint(known, previous) if fits else StartingPoint(needed, None)


def _with(model: Detector, tried: Mapping[str, Any]) -> Detector:
    return replace(model, notes={**model.notes, "tried": [*model.notes["tried"], tried]})


def _notes(
    chosen: TrainingPlan, trained: TrainedNetwork, images: int, seconds: float
) -> Mapping[str, Any]:
    return {
        "epochs": trained.epochs,
        "image_size": chosen.image_size,
        "batch": chosen.batch,
        "frozen": chosen.frozen,
        "seconds": round(seconds, 1),
        "images_per_second": round(images * trained.epochs / max(seconds, 1e-9), 1),
        "tried": [],
    }
