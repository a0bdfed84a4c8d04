"""A trained detector: a network of either engine with its thresholds and calibration."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from backend.domain.answers import ImageRef, Regions
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.ids import Label
from backend.domain.schema import Control
from backend.models.calibration import ScoreCalibration
from backend.models.detection import label_powerset
from backend.models.detection.comparison import score
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.engine import Network
from backend.models.detection.thresholds import CANDIDATE
from backend.ports.images import Fetch
from backend.ports.progress import Progress

CARD = "detector.json"


@dataclass(frozen=True, slots=True)
class Detector:
    """Implements `model_family.Model` for rectangles.

    `start` names the pretrained weights that training started from; a training from others cannot
    continue from this one. `classes` are the network's, as `label_powerset` names them, `labels`
    those of the control.
    """

    network: Network
    start: str
    classes: tuple[Label, ...]
    labels: tuple[Label, ...]
    confidence: BoxConfidence
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]

    @property
    def out_of_fold(self) -> None:
        """None: cross-validating a detector takes too long; the held-out images serve instead."""

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        candidates = detect(self.network, images.refs, fetch, self.classes, CANDIDATE, progress)
        calibrated = [self.confidence.calibrated(image) for image in candidates]
        return PredictionBatch(
            tuple(map(self.confidence.show, candidates, calibrated)),
            self.confidence.confidence(candidates),
            np.array([self._best(image) for image in calibrated]).reshape(-1, len(self.labels)),
        )

    def save(self, folder: Path) -> None:
        self.network.save(folder)
        card = {
            "start": self.start,
            "labels": self.classes,
            "confidence": asdict(self.confidence),
            "metrics": dict(self.metrics),
            "notes": dict(self.notes),
        }
        (folder / CARD).write_text(json.dumps(card, indent=1), "utf-8")

    def _best(self, candidates: Regions) -> list[float]:
        """Return the best score of each label in an image; 0 where it has no candidate."""
        best = dict.fromkeys(self.labels, 0.0)
        for box in candidates.regions:
            best[box.label] = max(best.get(box.label, 0.0), score(box))
        return [best[label] for label in self.labels]


def detect(
    network: Network,
    refs: Sequence[ImageRef],
    fetch: Fetch,
    classes: Sequence[Label],
    min_score: float,
    progress: Progress,
) -> list[Regions]:
    """Run `inference.detect` and decode the network's classes to labels."""
    from backend.models.detection import inference  # noqa: PLC0415  imports OpenCV

    detections = inference.detect(network, refs, fetch, classes, min_score, progress)
    return [label_powerset.decode(image) for image in detections]


def load(folder: Path, control: Control, network: Network) -> Detector:
    """Load what `Detector.save` wrote; the control may list its labels in another order."""
    card = _card(folder)
    confidence = card["confidence"]
    return Detector(
        network,
        card["start"],
        tuple(Label(name) for name in card["labels"]),
        control.labels,
        BoxConfidence(
            confidence["thresholds"],
            ScoreCalibration(**confidence["box"]),
            ScoreCalibration(**confidence["answer"]),
            confidence["complete"],
        ),
        card["metrics"],
        card["notes"],
    )


def known_classes(folder: Path, start: str) -> tuple[Label, ...]:
    """List the classes of a saved network; none if it started from other weights than `start`."""
    if not (folder / CARD).is_file():
        return ()
    card = _card(folder)
    return tuple(Label(name) for name in card["labels"]) if card["start"] == start else ()


def _card(folder: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((folder / CARD).read_text("utf-8")))
