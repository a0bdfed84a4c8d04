"""A detector from elsewhere: its boxes of classes that stand for a label."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from backend.domain.answers import Answer, Regions
from backend.domain.batches import ImageBatch
from backend.domain.ids import Label
from backend.domain.schema import Control
from backend.models.calibration import ScoreCalibration
from backend.models.detection import detector
from backend.models.detection.comparison import compare
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.detector import Detector
from backend.models.detection.engine import Callers, Detect, Detections, Network, PixelBatch
from backend.models.detection.evaluation import evaluate
from backend.models.detection.thresholds import CANDIDATE, DEFAULT
from backend.models.imported.card import ImportedCard
from backend.ports.images import Fetch
from backend.ports.model_family import Model
from backend.ports.progress import Progress

_SEED = 0


@dataclass(frozen=True, slots=True)
class SelectedClasses:
    """Implements `engine.Network`: leaves out classes that stand for no label.

    `places` is the position of the label of each class of the network, -1 for those left out.
    """

    network: Network
    places: tuple[int, ...]

    @property
    def image_size(self) -> int:
        return self.network.image_size

    @property
    def callers(self) -> Callers | None:
        callers = self.network.callers
        if callers is None:
            return None
        return replace(callers, detect=partial(self._detect, callers.detect))

    def detect(self, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        return self._detect(self.network.detect, batch, min_score)

    def save(self, folder: Path) -> None:
        self.network.save(folder)

    def _detect(self, detect: Detect, batch: PixelBatch, min_score: float) -> Sequence[Detections]:
        return [self._selected(found) for found in detect(batch, min_score)]

    def _selected(self, found: Detections) -> Detections:
        places = np.array(self.places)[found.labels.astype(np.intp)]
        rows = np.flatnonzero(places >= 0)
        return Detections(found.boxes[rows], places[rows], found.scores[rows])


@dataclass(frozen=True, slots=True)
class ImportedDetector(Detector):
    """A detector whose scores are the network's own until there are labels to calibrate on."""

    folder: Path

    def calibrated_on(
        self, images: ImageBatch, answers: Sequence[Answer], fetch: Fetch, progress: Progress
    ) -> Model:
        """Return the detector with thresholds and scores fitted to these labeled images."""
        truths = [answer for answer in answers if isinstance(answer, Regions)]
        found = detector.detect(self.network, images.refs, fetch, self.classes, CANDIDATE, progress)
        compared = compare(found, truths)
        confidence = BoxConfidence.fit(compared, self.labels)
        measured = evaluate(compared, self.labels, _SEED)
        notes = {**self.notes, "calibrated_on": len(truths)}
        return ImportedDetector(
            self.network,
            self.start,
            self.classes,
            self.labels,
            confidence,
            measured.metrics,
            notes,
            self.folder,
        )

    def save(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)


def imported_detector(
    card: ImportedCard, network: Network, control: Control, folder: Path
) -> ImportedDetector:
    """Return a detector that answers in the labels of the control."""
    classes = tuple(label for label in card.known if label in control.labels)
    place = {label: number for number, label in enumerate(classes)}
    labels = [card.labels.get(name, Label("")) for name in card.names]
    places = tuple(place.get(label, -1) for label in labels)
    identity = ScoreCalibration()
    usual = dict.fromkeys(control.labels, DEFAULT)
    given = {card.labels[name]: one for name, one in card.thresholds.items() if name in card.labels}
    confidence = BoxConfidence({**usual, **given}, identity, identity, 1.0)
    notes = {"imported": card.source, "calibrated_on": 0}
    selected = SelectedClasses(network, places)
    return ImportedDetector(
        selected, card.source, classes, control.labels, confidence, {}, notes, folder
    )
