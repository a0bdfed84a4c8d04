"""Write the model of one control as a file that other programs run."""

import importlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.ids import Label
from backend.domain.json import Json
from backend.domain.schema import TaskKind
from backend.models.classification.finetune_config import ENCODER_FILE, FinetuneConfig
from backend.models.classification.head import Head, read
from backend.models.detection import label_powerset
from backend.models.detection.detector import CARD as DETECTOR
from backend.models.embedding.backbones import JOINT, Backbone, backbones, named
from backend.models.embedding.encoders import export_path, open_encoder
from backend.models.embedding.onnx_runtime import VERSION_CARD
from backend.settings import Settings

_CHECKPOINT = "weights.pt"
_RESIZE = (
    "turn upright, squeeze the whole image into a square of `side` pixels: bilinearly to the"
    " nearest multiple, then averaged; see docs/models.md"
)
_NOT_HERE = "Only detectors that Ultralytics trained can be written so; copy the version's folder"


@dataclass(frozen=True, slots=True)
class ModelWriter:
    """Implements `model_family.ModelWriters`."""

    settings: Settings

    def write(
        self,
        folder: Path,
        kind: TaskKind,
        renamed: Mapping[Label, Label],
        about: Json,
        target: Path,
    ) -> None:
        form = target.suffix
        if kind is TaskKind.DETECTION:
            self._detector(folder, renamed, about, target)
            return
        if form == ".pt" or not (folder / "head.json").is_file():
            raise BadInput(
                f"a classifier cannot be written as {form}",
                "Choose --format onnx or --format safetensors",
            )
        head = _renamed(read(folder)[0], renamed)
        joined = self._backbones(folder)
        facts = {**about, "labels": list(head.labels), "resize": _RESIZE, "kind": kind.value}
        facts |= {"thresholds": [float(one) for one in head.rule.thresholds]}
        if form == ".onnx":
            self._onnx(folder, joined, head, facts, target)
        else:
            self._safetensors(folder, joined, head, facts, target)

    def _backbones(self, folder: Path) -> Sequence[Backbone]:
        name: str = read(folder)[1]["notes"].get("encoder") or named(self.settings)
        return backbones(name, self.settings)

    def _onnx(
        self, folder: Path, joined: Sequence[Backbone], head: Head, about: Json, target: Path
    ) -> None:
        from backend.models.exported import classifier_graph  # noqa: PLC0415 - imports onnx

        with tempfile.TemporaryDirectory(dir=target.parent) as drafts:
            encoders = [self._exported(folder, one, Path(drafts)) for one in joined]
            runtime = importlib.import_module("backend.models.embedding.encoders")
            sides: list[int] = [runtime.OnnxEncoder(path).side for path in encoders]
            draft = Path(drafts, "model.onnx")
            facts = {**about, "side": sides[0], "sides": sides}
            classifier_graph.write(encoders, head, facts, draft)
            draft.replace(target)

    def _exported(self, folder: Path, backbone: Backbone, drafts: Path) -> Path:
        """Return the encoder as an ONNX file. Raises BadInput where it cannot be one."""
        encoder = export_path(backbone, self.settings.data_dir)
        if (folder / ENCODER_FILE).is_file():
            encoder = drafts / "encoder.onnx"
            export = importlib.import_module("backend.models.embedding.export")
            export.export(self._tuned(folder, backbone), encoder)
        else:
            open_encoder(backbone, "cpu", self.settings)
        if not encoder.is_file():
            raise BadInput(f"{backbone.name} cannot be expressed in ONNX", "Use safetensors")
        return encoder

    def _tuned(self, folder: Path, backbone: Backbone) -> Any:
        finetuned = importlib.import_module("backend.models.classification.finetuned_encoder")
        tuning = FinetuneConfig(backbone, "cpu", self.settings.max_image_megapixels)
        return finetuned.FinetunedEncoder.load(folder, tuning).network

    def _safetensors(
        self, folder: Path, joined: Sequence[Backbone], head: Head, about: Json, target: Path
    ) -> None:
        networks = importlib.import_module("backend.models.embedding.backbone_networks")
        tensors = importlib.import_module("safetensors.torch")
        torch = importlib.import_module("torch")
        is_tuned = (folder / ENCODER_FILE).is_file()
        state, sides = dict[str, Any](), list[int]()
        for number, one in enumerate(joined):
            network = self._tuned(folder, one) if is_tuned else networks.load_network(one)
            prefix = "encoder." if len(joined) == 1 else f"encoder.{number}."
            state |= {f"{prefix}{key}": value for key, value in network.state_dict().items()}
            sides.append(network.side)
        state["head.weight"] = torch.tensor(head.linear.weights.T * head.calibration.slope[:, None])
        bias = head.linear.bias * head.calibration.slope + head.calibration.offset
        state["head.bias"] = torch.tensor(bias)
        name = JOINT.join(one.name for one in joined)
        facts = {**about, "encoder": name, "side": sides[0], "sides": sides}
        facts["link"] = head.rule.link.name
        stored = {name: one.float().contiguous() for name, one in state.items()}
        tensors.save_file(stored, target, {"autolabel": json.dumps(facts, ensure_ascii=False)})

    def _detector(
        self, folder: Path, renamed: Mapping[Label, Label], about: Json, target: Path
    ) -> None:
        checkpoint = folder / _CHECKPOINT
        if not checkpoint.is_file() or target.suffix == ".safetensors":
            raise BadInput(f"this detector cannot be written as {target.suffix}", _NOT_HERE)
        facts = _detector_facts(folder, renamed)
        target.with_suffix(".json").write_text(json.dumps({**about, **facts}, indent=1), "utf-8")
        if target.suffix == ".pt":
            shutil.copyfile(checkpoint, target)
            return
        setup = importlib.import_module("backend.models.detection.ultralytics_engine.setup")
        setup.import_configured(self.settings.data_dir / "ultralytics")
        library = importlib.import_module("ultralytics")
        with tempfile.TemporaryDirectory(dir=target.parent) as drafts:
            copy = Path(shutil.copyfile(checkpoint, Path(drafts, _CHECKPOINT)))
            model = library.YOLO(str(copy))
            size = int(model.ckpt["train_args"]["imgsz"])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch's exporter about itself
                made = model.export(format="onnx", imgsz=size, simplify=False, verbose=False)
            _describe(Path(made), facts, about)
            Path(made).replace(target)


def _detector_facts(folder: Path, renamed: Mapping[Label, Label]) -> Mapping[str, Any]:
    """Return what a detector's card says about its classes and the scores to show boxes from."""
    path = folder / DETECTOR
    if not path.is_file():
        return {}
    card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    thresholds: Mapping[Label, float] = card["confidence"]["thresholds"]
    return {
        "classes": _distinct(label_powerset.renamed(card["labels"], renamed)),
        "thresholds": {renamed.get(label, label): one for label, one in thresholds.items()},
    }


def _describe(path: Path, facts: Mapping[str, Any], about: Json) -> None:
    """Give the classes of an ONNX file the names of now, as Ultralytics writes them, and a card."""
    onnx = importlib.import_module("onnx")
    model = onnx.load(path)
    known = {entry.key: entry.value for entry in model.metadata_props}
    if facts:
        classes: Sequence[str] = facts["classes"]
        known["names"] = str(dict(enumerate(classes)))
    known[VERSION_CARD] = json.dumps({**about, **facts}, ensure_ascii=False)
    onnx.helper.set_model_props(model, known)
    onnx.save(model, path)


def _renamed(head: Head, renamed: Mapping[Label, Label]) -> Head:
    """Return the head with the labels of now. Raises BadInput where labels were merged."""
    return replace(head, labels=_distinct([renamed.get(label, label) for label in head.labels]))


def _distinct(now: Sequence[Label]) -> tuple[Label, ...]:
    if "" in now or len({*now}) < len(now):
        raise BadInput(
            "labels of this version were merged or deleted since it was trained",
            "Train a new version, and export that",
        )
    return tuple(now)
