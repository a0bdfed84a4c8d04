"""Load models from elsewhere beside those that were trained here."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.domain.items import ItemKind
from backend.domain.schema import Control, TaskKind
from backend.models.calibration import ScoreCalibration
from backend.models.detection.engine import Network
from backend.models.imported import card as cards
from backend.models.imported.card import ImportedCard, PixelScaling
from backend.models.imported.classifier import ClassProbabilities, ImportedClassifier, OfPixels
from backend.ports.model_family import Family, Model, TrainingSet
from backend.settings import Settings


@dataclass(frozen=True, slots=True)
class FamilyWithImports:
    """Implements `model_family.Family`: trains with another one, and loads imported models too."""

    trained: Family
    load_imported: Callable[[Path, Control], Model]

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return self.trained.kinds

    def check(self, items: ItemKind = ItemKind.IMAGE) -> None:
        self.trained.check(items)

    def fit(self, training_set: TrainingSet) -> Model:
        return self.trained.fit(training_set)

    def load(self, folder: Path, control: Control) -> Model:
        if (folder / cards.FILE).is_file():
            return self.load_imported(folder, control)
        return self.trained.load(folder, control)


@dataclass(frozen=True, slots=True)
class ImportedModels:
    """Loads what `reading` wrote; torch, Ultralytics and ONNX Runtime at their first use."""

    settings: Settings
    device: str

    def __call__(self, folder: Path, control: Control) -> Model:
        card = cards.read(folder)
        if card.is_detector:
            from backend.models.imported.detector import imported_detector  # noqa: PLC0415 - imports OpenCV

            return imported_detector(card, self._network(card, folder), control, folder)
        notes = {"imported": card.source, "calibrated_on": 0}
        return ImportedClassifier(
            card, control, self._classifier(card, folder), ScoreCalibration(), {}, notes, folder
        )

    def _network(self, card: ImportedCard, folder: Path) -> Network:
        across = self.settings.nms_across_labels
        if card.format == "onnx":
            from backend.models.imported.onnx_files import OnnxDetector, OnnxSession  # noqa: PLC0415 - imports OpenCV

            path = folder / card.file
            return OnnxDetector(OnnxSession.open(path), path, card.image_size, across)
        from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine  # noqa: PLC0415  torch

        engine = UltralyticsEngine(card.source, self.settings.data_dir, self.device, across)
        return engine.load(folder)

    def _classifier(self, card: ImportedCard, folder: Path) -> ClassProbabilities:
        if card.format == "onnx":
            from backend.models.imported.onnx_files import OnnxClassifier, OnnxSession  # noqa: PLC0415 - imports OpenCV
            from backend.models.imported.own_exports import OwnClassifier  # noqa: PLC0415 - imports OpenCV

            session = OnnxSession.open(folder / card.file)
            if session.wants_bytes:
                return OwnClassifier(session, self.settings.max_image_megapixels)
            return OfPixels(OnnxClassifier(session, card.scaling or PixelScaling()))
        from backend.models.imported import torch_files  # noqa: PLC0415 - imports torch

        if card.format == "torch":
            return OfPixels(torch_files.open_classifier(card, folder, self.device))
        from backend.models.detection.ultralytics_engine import setup  # noqa: PLC0415 - Ultralytics

        setup.import_configured(self.settings.data_dir / "ultralytics")
        library = importlib.import_module("ultralytics")
        model = library.YOLO(str(folder / card.file), task="classify")
        return OfPixels(torch_files.UltralyticsClassifier(model, self.device))
