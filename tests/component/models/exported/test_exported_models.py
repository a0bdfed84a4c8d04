"""An exported classifier gives the answers of its version, run as the documentation says."""

import importlib
import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from backend.domain.answers import ImageRef
from backend.domain.batches import ImageBatch
from backend.domain.errors import BadInput, NotFound
from backend.domain.ids import ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.schema import Control, TaskKind
from backend.domain.version_names import control_folder
from backend.models.calibration import Calibration, ScoreCalibration
from backend.models.classification.decision_rule import Rule
from backend.models.classification.head import Head, write
from backend.models.classification.logistic import Linear
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine import setup
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from backend.models.embedding.backbones import backbone, backbones
from backend.models.embedding.encoders import open_encoder
from backend.models.images.thumbnails import decode
from backend.models.imported.family import FamilyWithImports, ImportedModels
from backend.models.imported.onnx_files import OnnxSession
from backend.models.imported.reading import ModelFiles
from backend.models.link_functions import SIGMOID, SOFTMAX
from backend.services.model_export import ExportFormat
from backend.settings import Settings
from backend.stores.versions import VersionStore
from backend.wiring import model_export
from tests.exported_backbone import shared
from tests.fakes.domain import a_version
from tests.fakes.models import ParityFamily
from tests.fakes.steps import quiet

DOCS = Path(__file__).parents[4] / "docs" / "models.md"
ALONE = "assert {'torch', 'onnx', 'backend'}.isdisjoint(sys.modules)\n"
PROJECT, CONTROL = ProjectId(2), ControlName("c")
THRESHOLDS = np.array([0.01, 0.5, 0.99])
LABELS = (Label("Katze 猫"), Label("dog"), Label("bird"))


class Scene:
    """A data folder with an exported encoder, and versions with random heads."""

    def __init__(self, folder):
        self.settings = Settings(data_dir=folder)
        self.versions = VersionStore(folder)
        self.encoder = open_encoder(backbone(self.settings), "cpu", self.settings)
        self.export = model_export(self.settings)

    def publish(self, link=SOFTMAX, kind=TaskKind.SINGLE, encoder="", width=0, **changes):
        rng = np.random.default_rng(1)
        self.head = Head(
            LABELS,
            Linear(rng.normal(0, 9, (width or self.encoder.width, 3)), rng.normal(size=3)),
            Calibration(np.array([0.5, 0.8, 1.1]), np.array([0.1, 0.0, -0.1])),
            Rule(link, THRESHOLDS, ScoreCalibration()),
        )

        def save(draft):
            own = control_folder(draft, CONTROL)
            own.mkdir()
            notes = {"encoder": encoder} if encoder else {}
            write(self.head, {"metrics": {}, "notes": notes}, own)

        card = a_version(kinds={CONTROL: kind}, labels={CONTROL: LABELS}, **changes)
        return self.versions.publish(PROJECT, lambda name: card, save).name

    def probabilities(self, path, kind=TaskKind.SINGLE, encoders=()):
        return self.answer(path, kind, encoders).probabilities[0]

    def answer(self, path, kind, encoders=()):
        """The answer of the version itself."""
        used = encoders or (self.encoder,)
        parts = [one.embed(decode(path, one.side, 80).pixels[None]) for one in used]
        joined = np.concatenate([part * len(parts) ** -0.5 for part in parts], axis=1)
        logits = self.head.linear.logits(joined)
        control = Control(CONTROL, "img", kind, LABELS)
        return self.head.answer(control, logits)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    with shared(folder):
        yield Scene(folder)


def photo(path, width, height):
    """A smooth colourful image."""
    across, down = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
    waves = [np.sin(across * k + down) * 90 + 128 for k in (1, 2, 3)]
    Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8)).save(path)
    return path


def documented(folder, model, image):
    """What the program of the documentation prints of an image."""
    example = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[-1]
    (folder / "predict.py").write_text(example + ALONE)
    command = [sys.executable, "-I", str(folder / "predict.py"), str(model), str(image)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(("link", "kind"), [(SOFTMAX, TaskKind.SINGLE), (SIGMOID, TaskKind.MULTI)])
def test_the_documented_program_gives_the_answers_of_the_version(scene, tmp_path, link, kind):
    version = scene.publish(link, kind)
    (model,) = scene.export(PROJECT, version, ExportFormat.ONNX, tmp_path)
    assert model == tmp_path / f"{version}.onnx"
    for name, width, height in (("small.png", 300, 260), ("large.jpg", 1700, 1200)):
        path = photo(tmp_path / name, width, height)
        said = documented(tmp_path, model, path)
        assert tuple(said) == LABELS
        expected = scene.probabilities(path, kind)
        assert list(said.values()) == pytest.approx(expected.tolist(), abs=1e-3)


def test_joined_encoders_are_one_file_with_an_input_for_each(scene, tmp_path):
    name = "efficientnet_lite0+efficientnet_lite2"
    encoders = [open_encoder(one, "cpu", scene.settings) for one in backbones(name, scene.settings)]
    version = scene.publish(encoder=name, width=sum(one.width for one in encoders))
    (model,) = scene.export(PROJECT, version, ExportFormat.ONNX, tmp_path)
    path = photo(tmp_path / "photo.png", 700, 500)
    said = documented(tmp_path, model, path)
    expected = scene.probabilities(path, encoders=encoders)
    assert list(said.values()) == pytest.approx(expected.tolist(), abs=1e-3)
    (tensors,) = scene.export(PROJECT, version, ExportFormat.SAFETENSORS, tmp_path)
    with safe_open(tensors, "np") as file:
        about = json.loads(file.metadata()["autolabel"])
        starts = {key.rpartition(".")[0].split(".")[1] for key in file.keys() if "encoder" in key}  # noqa: SIM118
    assert (about["encoder"], about["sides"]) == (name, [one.side for one in encoders])
    assert starts == {"0", "1"}


def imported(scene, model, kind, folder, labels=LABELS):
    """Open the file as `import-model` does in another project, and load it as a job does."""
    folder.mkdir()
    opened = ModelFiles(scene.settings).open(str(model), trust=False)
    opened.write(folder, dict(zip(opened.names, labels, strict=True)))
    family = FamilyWithImports(ParityFamily(), ImportedModels(scene.settings, "cpu"))
    return family.load(folder, Control(CONTROL, "img", kind, tuple(labels)))


def batch_of(paths):
    """The images, and what fetches their files."""
    refs = tuple(ImageRef(TaskId(number), str(path)) for number, path in enumerate(paths))
    images = ImageBatch(refs, np.zeros((len(refs), 4)), np.zeros((len(refs), 6)))
    return images, lambda ref: Path(ref.uri)


@pytest.mark.parametrize(
    ("name", "link", "kind"),
    [
        ("efficientnet_lite0", SOFTMAX, TaskKind.SINGLE),
        ("efficientnet_lite0+efficientnet_lite2", SIGMOID, TaskKind.MULTI),
    ],
    ids=["one encoder, one label", "joined encoders, several labels"],
)
def test_an_exported_classifier_answers_alike_once_imported_elsewhere(
    scene, tmp_path, name, link, kind
):
    encoders = [open_encoder(one, "cpu", scene.settings) for one in backbones(name, scene.settings)]
    version = scene.publish(link, kind, encoder=name, width=sum(one.width for one in encoders))
    (model,) = scene.export(PROJECT, version, ExportFormat.ONNX, tmp_path)
    paths = [photo(tmp_path / f"{n}.jpg", width, 900) for n, width in enumerate((300, 1700, 4000))]
    images, fetch = batch_of(paths)
    found = imported(scene, model, kind, tmp_path / "other").predict(images, fetch, quiet)
    own = [scene.answer(path, kind, encoders) for path in paths]
    expected = np.concatenate([one.probabilities for one in own])
    assert found.probabilities == pytest.approx(expected, abs=1e-3)
    assert [one.labels for one in found.answers] == [one.answers[0].labels for one in own]


def test_safetensors_hold_encoder_head_and_card(scene, tmp_path):
    version = scene.publish()
    (path,) = scene.export(PROJECT, version, ExportFormat.SAFETENSORS, tmp_path)
    with safe_open(path, "np") as file:
        about = json.loads(file.metadata()["autolabel"])
        weight = file.get_tensor("head.weight")
        assert any(name.startswith("encoder.") for name in file.keys())  # noqa: SIM118 - not a dict
    assert about["labels"] == list(LABELS)
    assert (about["version"], about["link"]) == (version, "softmax")
    expected = scene.head.linear.weights.T * scene.head.calibration.slope[:, None]
    assert weight == pytest.approx(expected, rel=1e-5)


def test_renamed_labels_are_those_of_now(scene, tmp_path):
    renamed = dict(zip(LABELS, (Label("cat"), *LABELS[1:]), strict=True))
    version = scene.publish(renamed={CONTROL: renamed})
    (path,) = scene.export(PROJECT, version, ExportFormat.SAFETENSORS, tmp_path)
    with safe_open(path, "np") as file:
        assert json.loads(file.metadata()["autolabel"])["labels"] == ["cat", "dog", "bird"]


def spread_scores(network):
    """Let features and scores differ from place to place, as a training would."""
    norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    for one in norms:
        one.momentum = None  # takes the plain average of what it sees
    with torch.no_grad():
        network.train()(torch.rand(8, 3, 64, 64))
        for branch in network.model[-1].cv3:
            branch[-1].weight.normal_(0, 0.3)
            branch[-1].bias.fill_(-1.0)
    network.eval()


class Boxes:
    """Versions of an untrained detector of the project's labels."""

    def __init__(self, scene):
        self.scene = scene
        setup.import_configured(scene.settings.data_dir / "ultralytics")
        networks = importlib.import_module("ultralytics.nn.tasks")
        torch.manual_seed(0)
        self.network = networks.DetectionModel("yolo11n.yaml", nc=3, verbose=False)
        spread_scores(self.network)
        self.network.names = dict(enumerate(LABELS))
        self.network.args = {"imgsz": 64, "task": "detect"}

    def publish(self, **changes):
        def save(draft):
            own = control_folder(draft, CONTROL)
            own.mkdir()
            content = {"model": self.network, "train_args": {"imgsz": 64}, "epoch": -1}
            torch.save(content, own / "weights.pt")
            identity = asdict(ScoreCalibration())
            confidence = {"thresholds": dict.fromkeys(LABELS, 0.25), "complete": 1.0}
            confidence |= {"box": identity, "answer": identity}
            about = {"labels": LABELS, "confidence": confidence, "start": "yolo11n.pt"}
            about |= {"metrics": {}, "notes": {}}
            (own / "detector.json").write_text(json.dumps(about))

        kinds = {CONTROL: TaskKind.DETECTION}
        card = a_version(kinds=kinds, labels={CONTROL: LABELS}, **changes)
        return self.scene.versions.publish(PROJECT, lambda name: card, save).name


@pytest.fixture(scope="module")
def boxes(scene):
    return Boxes(scene)


def test_an_exported_detector_answers_as_its_checkpoint_in_the_labels_of_now(
    scene, boxes, tmp_path
):
    now = (Label("cat"), *LABELS[1:])
    version = boxes.publish(renamed={CONTROL: dict(zip(LABELS, now, strict=True))})
    (path,) = scene.export(PROJECT, version, ExportFormat.ONNX, tmp_path)
    opened = ModelFiles(scene.settings).open(str(path), trust=False)
    assert (opened.is_detector, opened.names) == (True, now)
    beside = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert (tuple(beside["classes"]), beside["version"]) == (now, version)
    assert beside["thresholds"] == dict.fromkeys(now, 0.25)
    images = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    with torch.inference_mode():
        own = boxes.network.eval()(torch.tensor(images))[0].numpy()
    assert OnnxSession.open(path).run(images) == pytest.approx(own, abs=1e-3, rel=1e-4)


def test_an_exported_detector_finds_the_same_boxes_once_imported_elsewhere(scene, boxes, tmp_path):
    version = boxes.publish()
    own = scene.versions.folder(PROJECT, version, CONTROL)
    engine = UltralyticsEngine("yolo11n.pt", scene.settings.data_dir, "cpu")
    control = Control(CONTROL, "img", TaskKind.DETECTION, LABELS)
    before = DetectorFamily(engine).load(own, control)
    (model,) = scene.export(PROJECT, version, ExportFormat.ONNX, tmp_path)
    after = imported(scene, model, TaskKind.DETECTION, tmp_path / "other")
    images, fetch = batch_of([photo(tmp_path / f"{n}.png", 200, 200) for n in range(2)])
    expected = before.predict(images, fetch, quiet)
    found = after.predict(images, fetch, quiet)
    assert any(answer.regions for answer in expected.answers)
    assert [len(one.regions) for one in found.answers] == [
        len(one.regions) for one in expected.answers
    ]
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-3)


def test_a_detector_is_written_as_its_checkpoint(scene, boxes, tmp_path):
    version = boxes.publish()
    (path,) = scene.export(PROJECT, version, ExportFormat.ULTRALYTICS, tmp_path)
    own = scene.versions.folder(PROJECT, version, CONTROL) / "weights.pt"
    assert path.read_bytes() == own.read_bytes()
    assert json.loads(path.with_suffix(".json").read_text("utf-8"))["classes"] == list(LABELS)
    merged = boxes.publish(renamed={CONTROL: dict.fromkeys(LABELS, LABELS[0])})
    with pytest.raises(BadInput, match="merged or deleted"):
        scene.export(PROJECT, merged, ExportFormat.ULTRALYTICS, tmp_path)


def test_what_cannot_be_written_is_refused(scene, tmp_path):
    with pytest.raises(BadInput, match="classifier cannot be written"):
        scene.export(PROJECT, scene.publish(), ExportFormat.ULTRALYTICS, tmp_path)
    merged = scene.publish(renamed={CONTROL: dict.fromkeys(LABELS, LABELS[0])})
    with pytest.raises(BadInput, match="merged or deleted"):
        scene.export(PROJECT, merged, ExportFormat.ONNX, tmp_path)
    boxes = scene.publish(kind=TaskKind.DETECTION)
    with pytest.raises(BadInput, match="detector cannot be written"):
        scene.export(PROJECT, boxes, ExportFormat.ONNX, tmp_path)
    with pytest.raises(NotFound):
        scene.export(PROJECT, VersionName("al-0099-aaaa"), ExportFormat.ONNX, tmp_path)
