"""Models from elsewhere become versions: their kind and labels must fit, or be mapped."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cli.versions import import_lines, read_map
from backend.domain.errors import BadInput, Refused
from backend.domain.ids import ControlName, Label, ProjectId
from backend.domain.items import ItemKind
from backend.domain.jobs import Mode
from backend.domain.schema import TaskKind
from backend.domain.version_names import IMPORTED, TRAINED, control_folder
from backend.services.model_export import ExportFormat, ModelExport
from backend.services.model_import import ModelImport
from backend.services.training.train import CALIBRATED_FROM
from backend.stores.versions import VersionStore
from backend.use_cases import utc_now
from tests.fakes.domain import CHOICES, a_version
from tests.fakes.foreign_models import FakeForeignModel, Zoo
from tests.fakes.label_studio import FIRST, FakeLabelStudio
from tests.fakes.models import ParityFamily, ParityModel
from tests.fakes.world import PROJECT, World

BOXES = CHOICES.replace("Choices", "RectangleLabels").replace("Choice ", "Label ")
CONTROL = ControlName("c")


class Scene:
    def __init__(self, folder, config=CHOICES, **model):
        self.versions = VersionStore(folder)
        label_studio, zoo = FakeLabelStudio(config), Zoo(FakeForeignModel(**model))
        self.imports = ModelImport(label_studio, self.versions, zoo, {"torch": "2"}, utc_now)

    def run(self, source="zoo.pt", given=None):
        return self.imports(FIRST, source, given or {}, trust=False)


def test_a_model_whose_classes_are_the_labels_becomes_a_version(tmp_path):
    scene = Scene(tmp_path)
    found = scene.run()
    version = found.version
    assert version.name.startswith("im-0001-")
    assert version.labels == {CONTROL: ("cat", "dog")}
    assert "not calibrated" in version.reason
    assert scene.versions.get(FIRST, version.name) == version
    folder = scene.versions.folder(FIRST, version.name, CONTROL)
    assert json.loads((folder / "labels.json").read_text()) == {"cat": "cat", "dog": "dog"}
    assert found.matching.unused == ("bird",)


def test_importing_does_not_change_the_version_in_use(tmp_path):
    scene = Scene(tmp_path)
    scene.run()
    assert scene.versions.current(FIRST) is None


def test_a_model_of_another_kind_is_refused(tmp_path):
    with pytest.raises(Refused, match="finds rectangles; the project asks for classification"):
        Scene(tmp_path, is_detector=True).run()
    with pytest.raises(Refused, match="classifies whole images"):
        Scene(tmp_path, BOXES).run()
    assert Scene(tmp_path, BOXES, is_detector=True).run().version.kinds == {CONTROL: "detection"}


def test_labels_without_a_class_are_named_with_what_they_may_be(tmp_path):
    scene = Scene(tmp_path, names=("Cats", "puppy", "bird"))
    with pytest.raises(Refused) as refused:
        scene.run()
    (reason,) = refused.value.reasons
    assert "'cat', 'dog'" in reason.message
    assert "Cats: cat; puppy: dog" in reason.hint
    assert not scene.versions.all(FIRST)


def test_a_map_decides_and_may_leave_labels_out(tmp_path):
    scene = Scene(tmp_path, names=("tiger", "lion"))
    found = scene.run(given={"tiger": Label("cat"), "lion": Label("cat")})
    assert found.matching.labels == {"tiger": "cat", "lion": "cat"}
    assert found.version.labels == {CONTROL: ("cat", "dog")}
    lines = "\n".join(import_lines(found))
    assert "tiger as cat, lion as cat" in lines
    assert "Labels that it does not know: dog." in lines
    assert f"--model {found.version.name}" in lines


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"wolf": Label("dog")}, "class 'wolf'"), ({"dog": Label("wolf")}, "label 'wolf'")],
)
def test_a_map_of_what_does_not_exist_is_refused(tmp_path, given, problem):
    with pytest.raises(BadInput, match=problem):
        Scene(tmp_path).run(given=given)


def test_classes_that_nobody_needs_are_counted(tmp_path):
    names = ("cat", "dog", *(f"class {number}" for number in range(25)))
    lines = "\n".join(import_lines(Scene(tmp_path, names=names).run()))
    assert "class 19 and 5 more" in lines


def test_a_map_is_a_yaml_file(tmp_path):
    (tmp_path / "map.yaml").write_text("tiger: cat\n3: dog\n")
    assert read_map(tmp_path / "map.yaml") == {"tiger": "cat", "3": "dog"}
    for content in ("", "- cat\n", "{"):
        (tmp_path / "bad.yaml").write_text(content)
        with pytest.raises(BadInput):
            read_map(tmp_path / "bad.yaml")
    with pytest.raises(BadInput):
        read_map(tmp_path / "none.yaml")


class TestVersionsOfOtherProjects:
    def publish(self, scene, **changes):
        def write(folder: Path) -> None:
            for name in changes.get("kinds", {CONTROL: ""}):
                control_folder(folder, name).mkdir()
                (control_folder(folder, name) / "head").write_text("weights")

        other = ProjectId(9)
        card = scene.versions.publish(other, lambda name: a_version(project=9, **changes), write)
        return str(scene.versions.folder(other, card.name, next(iter(card.kinds))).parent)

    def test_are_imported_with_their_labels(self, tmp_path):
        scene = Scene(tmp_path)
        version = scene.run(self.publish(scene)).version
        assert version.name.startswith("im-")
        assert version.renamed == {CONTROL: {"cat": "cat", "dog": "dog"}}
        folder = scene.versions.folder(FIRST, version.name, CONTROL)
        assert (folder / "head").read_text() == "weights"

    def test_are_mapped_control_by_kind_and_label_by_name(self, tmp_path):
        scene, pet = Scene(tmp_path), ControlName("pet")
        source = self.publish(
            scene,
            kinds={ControlName("boxes"): TaskKind.DETECTION, pet: TaskKind.SINGLE},
            labels={ControlName("boxes"): ("ear",), pet: ("Katze", "Hund")},
            metrics={},
        )
        given = {"Katze": Label("cat"), "Hund": Label("dog")}
        version = scene.run(source, given).version
        assert version.renamed == {CONTROL: {"Katze": "cat", "Hund": "dog"}}

    def test_of_other_kinds_are_refused(self, tmp_path):
        scene = Scene(tmp_path)
        source = self.publish(scene, kinds={CONTROL: TaskKind.DETECTION}, metrics={})
        with pytest.raises(Refused, match="no control asks for"):
            scene.run(source)


class CalibratableModel(ParityModel):
    """Remembers what it was calibrated on."""

    calibrated = 0

    def calibrated_on(self, images, answers, fetch, progress):
        type(self).calibrated = len(answers)
        return self


class CalibratableFamily(ParityFamily):
    def load(self, folder, control):
        return CalibratableModel(control.labels)


def test_scores_are_calibrated_once_there_are_labels(tmp_path):
    world = World(tmp_path)
    version = world.run()["version"]
    for kind in world.families:
        world.families[kind] = CalibratableFamily()
    report = world.pre_label(version)
    assert report["mode"] == Mode.PRE_LABELING
    assert CalibratableModel.calibrated == 12 >= CALIBRATED_FROM


def test_with_few_labels_scores_stay_as_they_are(tmp_path):
    world = World(tmp_path)
    version = world.run()["version"]
    world.label_studio.people |= dict.fromkeys(range(4, 13))
    CalibratableModel.calibrated = 0
    for kind in world.families:
        world.families[kind] = CalibratableFamily()
    world.pre_label(version)
    assert CalibratableModel.calibrated == 0


def test_imported_versions_outlive_those_that_were_trained(tmp_path):
    scene = Scene(tmp_path)
    imported = scene.run().version.name

    def write(folder):
        control_folder(folder, CONTROL).mkdir()

    for _ in range(3):
        scene.versions.publish(PROJECT, lambda name: a_version(project=1), write)
    scene.versions.prune(PROJECT, keep=1)
    names = [card.name for card in scene.versions.all(PROJECT)]
    assert imported in names
    assert sum(name.startswith(TRAINED) for name in names) == 1


def test_a_project_that_nobody_labeled_is_pre_labeled(tmp_path):
    world = World(tmp_path)
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    imports = ModelImport(world.label_studio, world.versions, Zoo(), {}, utc_now)
    version = imports(PROJECT, "zoo.pt", {}, trust=False).version
    for kind in world.families:
        world.families[kind] = CalibratableFamily()
    chosen = world.job(mode=Mode.PRE_LABELING, model_version=version.name).request
    world.readiness().require(chosen)  # raises nothing
    report = world.pre_label(version.name)
    assert report["predicted"] == 40
    assert {name for _, name in world.label_studio.predictions} == {version.name}
    assert world.label_studio.model_version == version.name


TEXTS = """<View><Text name="t" value="$text"/><Choices name="c" toName="t">
<Choice value="cat"/><Choice value="dog"/></Choices></View>"""


def test_a_model_from_elsewhere_is_refused_for_texts_by_name(tmp_path):
    with pytest.raises(Refused, match="for images only, and this project has texts"):
        Scene(tmp_path, TEXTS).run()


def test_a_version_of_another_project_fits_only_where_both_have_texts(tmp_path):
    def write(folder):
        control_folder(folder, CONTROL).mkdir()

    versions = VersionStore(tmp_path / "other")
    card = replace(a_version(), items=ItemKind.TEXT)
    card = replace(card, kinds={CONTROL: TaskKind.SINGLE}, labels={CONTROL: ("cat", "dog")})
    made = versions.publish(FIRST, lambda name: replace(card, name=name), write)
    source = str(versions.folder(FIRST, made.name, CONTROL).parent)

    assert Scene(tmp_path / "texts", TEXTS).run(source).version.items is ItemKind.TEXT
    with pytest.raises(Refused, match="trained on texts, not on images"):
        Scene(tmp_path / "images").run(source)


def test_a_version_of_texts_is_not_exported(tmp_path):
    def write(folder):
        control_folder(folder, CONTROL).mkdir()

    versions = VersionStore(tmp_path)
    card = replace(a_version(), items=ItemKind.TEXT)
    made = versions.publish(FIRST, lambda name: replace(card, name=name), write)
    with pytest.raises(BadInput, match="trained on texts, and exported models predict from pixels"):
        ModelExport(versions, None)(FIRST, made.name, ExportFormat.ONNX, tmp_path / "out")


def test_pre_labeling_imports_a_published_model_once(tmp_path):
    world = World(tmp_path)
    world.label_studio.people = dict.fromkeys(world.label_studio.people)
    for kind in world.families:
        world.families[kind] = CalibratableFamily()
    world.readiness().require(world.job(mode=Mode.PRE_LABELING, model_version="zoo.pt").request)
    report = world.pre_label("zoo.pt")
    assert report["predicted"] == 40
    assert report["version"].startswith(IMPORTED)
    assert world.pre_label("zoo.pt")["version"] == report["version"]
    assert [card.name for card in world.versions.all(PROJECT)] == [report["version"]]


def test_a_published_model_is_imported_anew_once_the_labels_are_others(tmp_path):
    scene = Scene(tmp_path)
    first = scene.imports.once(FIRST, "zoo.pt")
    scene.imports.label_studio.label_config = CHOICES.replace("dog", "bird")
    second = scene.imports.once(FIRST, "zoo.pt")
    assert first.name != second.name
    assert second.labels == {CONTROL: ("cat", "bird")}
    assert scene.imports.once(FIRST, "other.pt").name not in {first.name, second.name}
