"""Open a model from elsewhere: find out what it is and which classes it knows, and copy it."""

import importlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import Label
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.models.embedding.onnx_runtime import VERSION_CARD
from backend.models.imported import card as cards
from backend.models.imported.card import ImportedCard, PixelScaling
from backend.models.imported.checkpoint_safety import require_harmless
from backend.ports.model_family import ForeignModel
from backend.settings import Settings

_WEIGHTS = "weights.pt"
_TENSORS = "weights.safetensors"
_NETWORK = "model.onnx"
_PUBLISHED = ("timm:", "torchvision:")
"""Prefixes of the names of published classifiers."""
_ARCHITECTURE = (
    'Put a config.json beside it: {"architecture": "timm:resnet18", "label_names": [...]}'
)


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """Implements `model_family.ForeignModel`: a file, or tensors that were read from one."""

    card: ImportedCard
    path: Path
    tensors: Mapping[str, Any] | None = None

    @property
    def is_detector(self) -> bool:
        return self.card.is_detector

    @property
    def names(self) -> tuple[str, ...]:
        return self.card.names

    @property
    def source(self) -> str:
        return self.card.source

    def write(self, folder: Path, labels: Mapping[str, Label]) -> None:
        cards.write(replace(self.card, labels=labels), folder)
        if self.tensors is None:
            shutil.copyfile(self.path, folder / self.card.file)
            return
        library = importlib.import_module("safetensors.torch")
        tensors = {name: one.contiguous() for name, one in self.tensors.items()}
        library.save_file(tensors, folder / self.card.file)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Implements `model_family.ForeignModels`; imports torch, Ultralytics or ONNX Runtime."""

    settings: Settings

    def open(self, source: str, *, trust: bool) -> ForeignModel:
        if source.startswith(_PUBLISHED):
            return _published(source)
        path = Path(source).expanduser()
        if path.suffix == ".onnx":
            return _onnx(_there(path))
        if path.suffix == ".safetensors" or (path.is_file() and _config(path)):
            return _torch(_there(path), trust=trust)
        if path.suffix == ".pt":
            return self._ultralytics(source, trust=trust)
        if path.is_file():
            raise BadInput(f"it is not known which network {path.name} is for", _ARCHITECTURE)
        hint = "Give a .pt, .onnx or .safetensors file, the name of a checkpoint of Ultralytics"
        hint = f"{hint}, timm:NAME, torchvision:NAME, or a version folder"
        raise BadInput(f"{source} is no model that can be imported", hint)

    def _ultralytics(self, source: str, *, trust: bool) -> OpenedModel:
        """Open a checkpoint; a bare name is looked up in the data folder, and downloaded."""
        data_dir = self.settings.data_dir
        path = UltralyticsEngine(source, data_dir).checkpoint()
        if not trust:
            require_harmless(path)
        setup = importlib.import_module("backend.models.detection.ultralytics_engine.setup")
        setup.import_configured(data_dir / "ultralytics")
        model = importlib.import_module("ultralytics").YOLO(str(path))
        if model.task not in {"detect", "classify"}:
            raise BadInput(f"{path.name} is for '{model.task}'; it must detect or classify")
        names: Mapping[int, str] = model.names
        size = int(model.ckpt.get("train_args", {}).get("imgsz", 640))
        card = ImportedCard(
            "ultralytics",
            _WEIGHTS,
            path.name,
            model.task == "detect",
            tuple(names[key] for key in sorted(names)),
            image_size=size,
        )
        return OpenedModel(card, path)


def _published(source: str) -> OpenedModel:
    """Open a classifier of timm or torchvision by its name; it may be downloaded."""
    classifiers = importlib.import_module("backend.models.imported.published_classifiers")
    found = classifiers.published(source)
    card = ImportedCard(
        "torch",
        _TENSORS,
        source,
        False,
        found.names,
        architecture=source,
        scaling=found.scaling,
    )
    return OpenedModel(card, Path(source), found.tensors)


def _onnx(path: Path) -> OpenedModel:
    onnx_files = importlib.import_module("backend.models.imported.onnx_files")
    session = onnx_files.OnnxSession.open(path)
    metadata: Mapping[str, str] = session.metadata
    names: tuple[str, ...] = onnx_files.class_names(path, metadata)
    if session.classes not in {None, len(names)}:
        what = f"{path.name} answers in {session.classes} classes, and {len(names)} are named"
        raise BadInput(what, f"Put a name for each, one a line, in a file {path.name}.names")
    is_detector = metadata.get("task") == "detect" or session.outputs == 3
    height = session.shape[2]
    side = height if isinstance(height, int) else _size(metadata.get("imgsz", ""))
    card = ImportedCard(
        "onnx",
        _NETWORK,
        path.name,
        is_detector,
        names,
        image_size=side or 640,
        scaling=None if is_detector else _scaling(metadata, side or 224),
        thresholds=_thresholds(metadata),
    )
    return OpenedModel(card, path)


def _thresholds(metadata: Mapping[str, str]) -> Mapping[str, float]:
    """Return the scores from which classes count, of our own exports; none of other files."""
    try:
        about: Mapping[str, Any] = json.loads(metadata.get(VERSION_CARD, "{}"))
    except ValueError:
        return {}
    given: object = about.get("thresholds", {})
    if isinstance(given, list):  # of a classifier, in the order of its labels
        labels = cast("list[str]", about["labels"])
        return dict(zip(labels, cast("list[float]", given), strict=True))
    return cast("Mapping[str, float]", given)


def _size(text: str) -> int:
    """Read `640` or `[640, 640]`, as Ultralytics writes it; 0 for anything else."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return 0
    if isinstance(found, list) and found:
        found = cast("list[object]", found)[0]
    return found if isinstance(found, int) else 0


def _scaling(metadata: Mapping[str, str], side: int) -> PixelScaling:
    """Return what the metadata says about pixels: of our own exports, or of Ultralytics."""
    if metadata.get("scaling"):
        given = json.loads(metadata["scaling"])
        return PixelScaling(given["side"], given["crop"], tuple(given["mean"]), tuple(given["std"]))
    if metadata.get("task") == "classify":
        return PixelScaling(side, 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return PixelScaling(side)


def _torch(path: Path, *, trust: bool) -> OpenedModel:
    config = _config(path)
    if not config:
        raise BadInput(f"{path.name} does not say which network it is for", _ARCHITECTURE)
    if path.suffix != ".safetensors" and not trust:
        hint = "Convert it to safetensors, or import it with --trust if you trust its maker"
        raise BadInput(f"{path.name} is a pickle, which can run any code", hint)
    torch_files = importlib.import_module("backend.models.imported.torch_files")
    names = tuple(str(name) for name in config.get("label_names") or config.get("labels") or ())
    architecture = str(config["architecture"])
    network = torch_files.empty_network(architecture, len(names))
    tensors: dict[str, Any] = torch_files.weights(path, trust=trust)
    scaling: PixelScaling = torch_files.scaling_of(architecture, network)
    card = ImportedCard(
        "torch",
        _TENSORS,
        path.name,
        False,
        names,
        architecture=architecture,
        scaling=scaling,
    )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as exc:
        what = " ".join(str(exc).split())[:200]
        raise BadInput(f"{path.name} are no weights of {architecture}: {what}") from exc
    return OpenedModel(card, path, tensors)


def _config(path: Path) -> Mapping[str, Any]:
    """Return what a JSON file beside the weights says; empty without an architecture."""
    for beside in (path.with_suffix(".json"), path.with_name("config.json")):
        if beside.is_file():
            found: object = json.loads(beside.read_text("utf-8"))
            if isinstance(found, Mapping) and "architecture" in found:
                return cast("Mapping[str, Any]", found)
    return {}


def _there(path: Path) -> Path:
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    return path
