"""Real model files: what is opened, what is refused, and that answers are those of the library."""

import json
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from backend.domain.answers import Choices, ImageRef, Region, Regions
from backend.domain.batches import ImageBatch
from backend.domain.errors import BadInput, NotFound, NoWeights
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, TaskKind
from backend.models.detection.ultralytics_engine import setup
from backend.models.imported.checkpoint_safety import require_harmless
from backend.models.imported.family import FamilyWithImports, ImportedModels
from backend.models.imported.reading import ModelFiles
from backend.settings import Settings
from tests.fakes.models import ParityFamily
from tests.fakes.steps import quiet

NAMES = ("cat", "dog", "bird")
LABELS = {"dog": Label("Hund"), "bird": Label("Vogel")}
TINY = "test_resnet"


class Scene:
    """A data folder, eight images, and imports of models into controls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(data_dir=folder / "data")
        rng = np.random.default_rng(0)
        self.files = {}
        for task in range(1, 9):
            pixels = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            pixels[..., task % 3] //= 4
            self.files[TaskId(task)] = folder / f"{task}.png"
            Image.fromarray(pixels).save(self.files[TaskId(task)])
        refs = tuple(ImageRef(task, "") for task in self.files)
        self.images = ImageBatch(refs, np.zeros((8, 4)), np.zeros((8, 6)))

    def fetch(self, ref):
        return self.files[ref.task]

    def open(self, path, *, trust=False):
        return ModelFiles(self.settings).open(str(path), trust=trust)

    def load(self, path, kind, *, trust=False, labels=None):
        """Import a model and load it, as a job does."""
        target = self.folder / f"control-{kind.value}-{path.name}"
        target.mkdir()
        self.open(path, trust=trust).write(target, LABELS if labels is None else labels)
        control = Control(ControlName("c"), "img", kind, (Label("Hund"), Label("Vogel")))
        family = FamilyWithImports(ParityFamily(), ImportedModels(self.settings, "cpu"))
        return family.load(target, control)

    def predict(self, model):
        return model.predict(self.images, self.fetch, quiet)


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def checkpoint(folder, architecture, task):
    """A checkpoint of Ultralytics with random weights, for NAMES."""
    library = setup.import_configured(folder / "ultralytics")
    torch.manual_seed(0)
    model = library.YOLO(architecture, task=task).model
    model.names = dict(enumerate(NAMES))
    model.args = {"imgsz": 64, "task": task}
    path = folder / f"own-{task}.pt"
    torch.save({"model": model, "train_args": {"imgsz": 64}, "epoch": -1}, path)
    return path


class Averages(nn.Module):
    """Classifies by the mean of each channel: logits of NAMES."""

    def forward(self, images):
        return 10 * images.mean(dim=(2, 3))


class AveragesOfBytes(nn.Module):
    """Probabilities from RGB bytes, as exported versions of this program take them."""

    def forward(self, images):
        return (images.float() / 255).mean(dim=(1, 2)).softmax(dim=1)


def onnx_classifier(folder, names="beside", network=None, example=(1, 3, 32, 32)):
    path = folder / "averages.onnx"
    kind = torch.uint8 if network else torch.float32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network or Averages(),
            (torch.zeros(example, dtype=kind),),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "n"}},
            dynamo=False,
        )
    if names == "beside":
        (folder / "averages.onnx.names").write_text("\n".join(NAMES))
    return path


def onnx_detector(folder, names=NAMES, classes=3):
    """Two boxes in 64 x 64 pixels, as Ultralytics writes them; scores are means of channels."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    boxes = np.array([[16, 48], [32, 32], [16, 16], [16, 32]], np.float32)[None]
    constants = {"boxes": boxes, "weights": np.array([1, 0.5], np.float32)[None, None]}
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=1),
        helper.make_node("Squeeze", ["means", "last"], ["colors"]),
        helper.make_node("MatMul", ["colors", "weights"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", kind, (1, 3, 64, 64))],
        [helper.make_tensor_value_info("output0", kind, (1, 4 + classes, 2))],
        [
            *(onnx.numpy_helper.from_array(array, name) for name, array in constants.items()),
            onnx.numpy_helper.from_array(np.array([3]), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    facts = {"names": str(dict(enumerate(names))), "task": "detect", "imgsz": "[64, 64]"}
    helper.set_model_props(model, facts)
    onnx.save(model, folder / "tiny.onnx")
    return folder / "tiny.onnx"


def tiny_timm(folder, suffix=".safetensors"):
    torch.manual_seed(0)
    network = timm.create_model(TINY, num_classes=3)
    path = folder / f"tiny{suffix}"
    if suffix == ".safetensors":
        save_file(network.state_dict(), path)
    else:
        torch.save(network.state_dict(), path)
    config = {"architecture": f"timm:{TINY}", "label_names": NAMES}
    (folder / "tiny.json").write_text(json.dumps(config))
    return path, network.eval()


class TestUltralytics:
    def test_a_detector_finds_boxes_of_the_mapped_classes_only(self, scene, tmp_path):
        path = checkpoint(tmp_path, "yolo11n.yaml", "detect")
        opened = scene.open(path)
        assert (opened.is_detector, opened.names, opened.source) == (True, NAMES, path.name)
        model = scene.load(path, TaskKind.DETECTION)
        found = scene.predict(model)
        labels = {box.label for answer in found.answers for box in answer.regions}
        assert labels <= {"Hund", "Vogel"}
        assert found.probabilities.shape == (8, 2)
        assert model.notes["calibrated_on"] == 0

    def test_a_detector_is_calibrated_on_labeled_images(self, scene, tmp_path):
        path = checkpoint(tmp_path, "yolo11n.yaml", "detect")
        model = scene.load(path, TaskKind.DETECTION)
        truth = Regions((Region(Box(0.1, 0.1, 0.5, 0.5), Label("Hund")),))
        after = model.calibrated_on(scene.images, [truth] * 8, scene.fetch, quiet)
        assert after.notes["calibrated_on"] == 8
        assert "map50" in after.metrics
        assert after.confidence != model.confidence

    def test_a_classifier_answers_with_the_label_of_its_best_class(self, scene, tmp_path):
        path = checkpoint(tmp_path, "yolo11n-cls.yaml", "classify")
        assert not scene.open(path).is_detector
        found = scene.predict(scene.load(path, TaskKind.SINGLE))
        best = found.probabilities.argmax(axis=1)
        assert [one.labels[0] for one in found.answers] == [("Hund", "Vogel")[k] for k in best]

    def test_a_name_that_is_nowhere_is_named(self, scene):
        with pytest.raises(NoWeights, match=r"yolo99\.pt"):
            scene.open("yolo99.pt")


class TestOnnx:
    def test_a_classifier_gives_the_probabilities_of_its_network(self, scene, tmp_path):
        model = scene.load(onnx_classifier(tmp_path), TaskKind.SINGLE)
        found = scene.predict(model)
        assert found.probabilities.shape == (8, 2)
        assert (found.probabilities.sum(axis=1) <= 1 + 1e-6).all()

    def test_a_version_that_this_program_exported_takes_bytes(self, scene, tmp_path):
        path = onnx_classifier(tmp_path, "beside", AveragesOfBytes(), (1, 32, 32, 3))
        found = scene.predict(scene.load(path, TaskKind.SINGLE))
        pixels = np.asarray(Image.open(scene.files[TaskId(1)])) / 255
        means = np.exp(pixels.mean(axis=(0, 1)))
        assert found.probabilities[0] == pytest.approx((means / means.sum())[1:], abs=0.01)

    def test_several_labels_may_be_chosen(self, scene, tmp_path):
        found = scene.predict(scene.load(onnx_classifier(tmp_path), TaskKind.MULTI))
        chosen = [set(one.labels) for one in found.answers]
        rows = [
            {label for label, p in zip(("Hund", "Vogel"), row, strict=True) if p >= 0.5}
            for row in found.probabilities
        ]
        assert chosen == rows

    def test_confidence_is_calibrated_on_labeled_images(self, scene, tmp_path):
        model = scene.load(onnx_classifier(tmp_path), TaskKind.SINGLE)
        before = scene.predict(model)
        wrong = [
            Choices((Label("Vogel" if one.labels[0] == "Hund" else "Hund"),))
            for one in before.answers
        ]
        after = model.calibrated_on(scene.images, wrong, scene.fetch, quiet)
        calibrated = scene.predict(after)
        assert calibrated.answers == before.answers
        assert calibrated.confidence.mean() < before.confidence.mean()
        assert after.metrics["accuracy"] == 0

    def test_a_detector_finds_the_boxes_of_its_network(self, scene, tmp_path):
        path = onnx_detector(tmp_path)
        opened = scene.open(path)
        assert (opened.is_detector, opened.names, opened.card.image_size) == (True, NAMES, 64)
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[..., 1] = 200  # green, the channel of the second class
        Image.fromarray(pixels).save(scene.files[TaskId(1)])
        found = scene.predict(scene.load(path, TaskKind.DETECTION))
        green = (200 * 48 + 114 * 16) / 64 / 255
        assert [(one.label, one.score) for one in found.answers[0].regions] == [
            ("Hund", pytest.approx(green, abs=0.01)),
            ("Hund", pytest.approx(green / 2, abs=0.01)),
        ]
        places = [
            (one.box.left, one.box.top, one.box.right, one.box.bottom)
            for one in found.answers[0].regions
        ]
        assert places[0] == pytest.approx((8 / 64, 16 / 48, 24 / 64, 32 / 48))
        assert places[1] == pytest.approx((40 / 64, 8 / 48, 56 / 64, 40 / 48))

    def test_names_for_another_number_of_classes_are_refused(self, scene, tmp_path):
        with pytest.raises(BadInput, match="3 classes, and 2 are named"):
            scene.open(onnx_detector(tmp_path, NAMES[:2]))
        path = onnx_classifier(tmp_path)
        (tmp_path / "averages.onnx.names").write_text("cat")
        with pytest.raises(BadInput, match="3 classes, and 1 are named"):
            scene.open(path)

    def test_a_model_without_names_is_refused(self, scene, tmp_path):
        with pytest.raises(BadInput, match="which classes"):
            scene.open(onnx_classifier(tmp_path, names=""))

    def test_what_is_no_model_is_refused(self, scene, tmp_path):
        (tmp_path / "text.onnx").write_text("no model")
        with pytest.raises(BadInput, match="not an ONNX model"):
            scene.open(tmp_path / "text.onnx")
        with pytest.raises(NotFound):
            scene.open(tmp_path / "none.onnx")


class TestTimm:
    def test_answers_are_those_of_the_network(self, scene, tmp_path):
        path, network = tiny_timm(tmp_path)
        model = scene.load(path, TaskKind.SINGLE)
        found = scene.predict(model)
        card = model.card
        assert card.architecture == f"timm:{TINY}"
        data = timm.data.resolve_model_data_config(network)
        pixels = timm.data.create_transform(**data)(Image.open(scene.files[TaskId(1)]))
        own = network(pixels[None]).softmax(dim=1)[0].detach().numpy()
        assert found.probabilities[0] == pytest.approx(own[1:], abs=0.02)

    def test_it_survives_being_saved(self, scene, tmp_path):
        model = scene.load(tiny_timm(tmp_path)[0], TaskKind.SINGLE)
        model.save(tmp_path / "copy")
        assert (tmp_path / "copy" / "imported.json").is_file()

    def test_a_pickle_needs_trust(self, scene, tmp_path):
        path, _ = tiny_timm(tmp_path, ".pth")
        with pytest.raises(BadInput, match="--trust"):
            scene.open(path)
        assert scene.open(path, trust=True).names == NAMES

    def test_weights_of_another_network_are_refused(self, scene, tmp_path):
        path, _ = tiny_timm(tmp_path)
        config = {"architecture": "torchvision:resnet18", "label_names": NAMES}
        (tmp_path / "tiny.json").write_text(json.dumps(config))
        with pytest.raises(BadInput, match="no weights of torchvision:resnet18"):
            scene.open(path)
        config["architecture"] = "timm:nonsense"
        (tmp_path / "tiny.json").write_text(json.dumps(config))
        with pytest.raises(BadInput, match="no architecture"):
            scene.open(path)

    def test_weights_that_do_not_say_what_they_are_for_are_refused(self, scene, tmp_path):
        path, _ = tiny_timm(tmp_path)
        (tmp_path / "tiny.json").unlink()
        with pytest.raises(BadInput, match="which network"):
            scene.open(path)
        (tmp_path / "model.bin").write_text("?")
        with pytest.raises(BadInput, match="which network"):
            scene.open(tmp_path / "model.bin")
        with pytest.raises(BadInput, match="no model that can be imported"):
            scene.open("resnet")


class Harm:
    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


class TestHarmlessness:
    def test_a_pickle_that_runs_more_than_layers_is_not_loaded(self, scene, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "harm.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("harm/data.pkl", pickle.dumps({"model": Harm()}, protocol=2))
        with pytest.raises(BadInput, match="--trust"):
            scene.open(path)
        assert not (tmp_path / "harmed").exists()

    @pytest.mark.parametrize("protocol", [3, 4, 5])
    def test_newer_pickles_hide_nothing(self, tmp_path, protocol):
        path = tmp_path / "harm.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("harm/data.pkl", pickle.dumps(Harm(), protocol=protocol))
        with pytest.raises(BadInput, match="runs more"):
            require_harmless(path)

    @pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
    def test_what_is_no_checkpoint_is_refused(self, tmp_path, content):
        path = tmp_path / "broken.pt"
        path.write_bytes(content)
        with pytest.raises(BadInput, match="not a checkpoint"):
            require_harmless(path)

    def test_an_archive_without_a_pickle_is_refused(self, tmp_path):
        path = tmp_path / "empty.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "")
        with pytest.raises(BadInput, match="holds no pickle"):
            require_harmless(path)
