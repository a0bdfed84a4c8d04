"""A trained detector: the same model around the network of either family."""

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
from backend.models.detection.confidence import BoxConfidence
from backend.models.detection.engine import Network
from backend.models.detection.thresholds import CANDIDATE, score
from backend.ports.images import Fetch
from backend.ports.progress import Progress

CARD = "detector.json"


@dataclass(frozen=True, slots=True)
class Detector:
    """Implements `model_family.Model` for rectangles.

    `start` names the network that training began from; one of another start cannot go on from it.
    `classes` are the network's, as `label_sets` names them, `labels` those of the control.
    """

    network: Network
    start: str
    classes: tuple[Label, ...]
    labels: tuple[Label, ...]
    judge: BoxConfidence
    metrics: Mapping[str, float]
    notes: Mapping[str, Any]

    @property
    def out_of_fold(self) -> None:
        """Too dear for a detector; the held-out images serve instead."""

    def predict(self, images: ImageBatch, fetch: Fetch, progress: Progress) -> PredictionBatch:
        found = find(self.network, images.refs, fetch, self.classes, CANDIDATE, progress)
        calibrated = [self.judge.calibrated(image) for image in found]
        return PredictionBatch(
            tuple(self.judge.calibrated(self.judge.shown(image)) for image in found),
            self.judge.confidence(found),
            np.array([self._best(image) for image in calibrated]).reshape(-1, len(self.labels)),
        )

    def save(self, folder: Path) -> None:
        self.network.save(folder)
        card = {
            "start": self.start,
            "labels": self.classes,
            "judge": asdict(self.judge),
            "metrics": dict(self.metrics),
            "notes": dict(self.notes),
        }
        (folder / CARD).write_text(json.dumps(card, indent=1), "utf-8")

    def _best(self, found: Regions) -> list[float]:
        return [
            max((score(box) for box in found.regions if box.label == label), default=0.0)
            for label in self.labels
        ]


def find(
    network: Network,
    refs: Sequence[ImageRef],
    fetch: Fetch,
    classes: Sequence[Label],
    floor: float,
    progress: Progress,
) -> list[Regions]:
    """What the network finds, as `canvases.find` says, by label."""
    from backend.models.detection import inference  # noqa: PLC0415  imports OpenCV

    found = inference.find(network, refs, fetch, classes, floor, progress)
    return [label_powerset.expanded(image) for image in found]


def load(folder: Path, control: Control, network: Network) -> Detector:
    """A detector as `Detector.save` wrote it, for a control whose labels may be in new order."""
    card = _card(folder)
    judge = card["judge"]
    return Detector(
        network,
        card["start"],
        tuple(Label(name) for name in card["labels"]),
        control.labels,
        BoxConfidence(
            judge["thresholds"],
            ScoreCalibration(**judge["box"]),
            ScoreCalibration(**judge["answer"]),
            judge["complete"],
        ),
        card["metrics"],
        card["notes"],
    )


def classes(folder: Path, start: str) -> tuple[Label, ...]:
    """What the network in this folder knows; nothing where it began from another start."""
    if not (folder / CARD).is_file():
        return ()
    card = _card(folder)
    return tuple(Label(name) for name in card["labels"]) if card["start"] == start else ()


def _card(folder: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((folder / CARD).read_text("utf-8")))
