"""Our reading of labeling configs agrees with Label Studio's SDK.

The corpus is our own and, where Label Studio is installed, the templates that come with it.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from backend.domain.answers import Choices, ImageRef, Prediction, Region, Regions
from backend.domain.errors import UnsupportedConfig
from backend.domain.geometry import Box
from backend.domain.ids import TaskId, VersionName
from backend.domain.schema import LabelSchema
from backend.label_studio import codec, labeling_config
from connectors.label_studio.validation import Validator
from tests.contract.labeling_configs import CORPUS

interface = pytest.importorskip("label_studio_sdk.label_interface.interface")

ROOT = Path(__file__).parents[2]
TEMPLATES = "lib/python*/site-packages/label_studio/annotation_templates/**/config.y*ml"
LEARNED = {
    "Image": {"Choices", "RectangleLabels"},
    "Text": {"Choices"},
    "HyperText": {"Choices"},
}
"""Controls that are learned, by the object tag that they are about."""
V1 = VersionName("al-0001-aaaa")


def label_studio_folders() -> list[Path]:
    """Environments that Label Studio may be installed in."""
    program = os.environ.get("LABEL_STUDIO", "")
    default = ROOT / ".venv-label-studio"
    return [Path(program).resolve().parents[1] if program else default]


def templates() -> Mapping[str, str]:
    """Label Studio's own configs by the name of their folder."""
    files = [path for folder in label_studio_folders() for path in folder.glob(TEMPLATES)]
    # libyaml, since each process of a test run reads all of them
    found = {path.parent.name: yaml.load(path.read_text(), yaml.CSafeLoader) for path in files}
    return {name: found[name]["config"] for name in sorted(found) if found[name].get("config")}


OWN = {name: one.config for name, one in CORPUS.items()}
OF_LABEL_STUDIO = templates()
EACH = pytest.mark.parametrize(
    "config", [*OWN.values(), *OF_LABEL_STUDIO.values()], ids=[*OWN, *OF_LABEL_STUDIO]
)


def parsed(config: str) -> LabelSchema | None:
    try:
        return labeling_config.parse(config)
    except UnsupportedConfig:
        return None


LEARNABLE = {name: one for name, one in {**OWN, **OF_LABEL_STUDIO}.items() if parsed(one)}


def learned_names(schema: LabelSchema | None) -> set[str]:
    tags = [tag for control in schema.controls for tag in control.own_tags] if schema else []
    return {name for tag in tags for name in (tag.name, *tag.geometry)}


def test_the_corpus_is_large_enough_to_mean_something():
    if not OF_LABEL_STUDIO:
        pytest.skip("Label Studio is not installed here")
    assert len(OWN) + len(OF_LABEL_STUDIO) >= 100


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_learned_of_our_own_configs_is_what_we_say(name: str):
    expected, schema = CORPUS[name], parsed(CORPUS[name].config)
    assert learned_names(schema) == expected.learned
    if schema:
        assert schema.unlearned_names == expected.ignored
        assert len(schema.warnings) == len(expected.ignored) + expected.notes


@EACH
def test_every_control_of_the_sdk_is_learned_or_named(config: str):
    theirs = interface.LabelInterface(config)
    tags = {one.name: one.tag for one in theirs.objects}
    schema = parsed(config)
    if schema is None:
        plain = [one for one in theirs.controls if is_plain(one, tags)]
        assert not plain, "a plain question about an image or a text is always learned"
        return
    known = learned_names(schema) | schema.unlearned_names
    assert {one.name for one in theirs.controls} <= known
    of_the_kind = {name: tag for name, tag in tags.items() if tag.lower() == schema.items}
    for one in theirs.controls:
        if is_plain(one, of_the_kind):
            assert one.name in learned_names(schema)


def is_plain(control: object, objects: Mapping[str, str]) -> bool:
    """Whether a control asks about one object, without conditions or options from the data."""
    given = {name.lower(): value for name, value in control.attr.items()}
    return (
        control.tag in LEARNED.get(objects.get(control.to_name[0], ""), ())
        and len(control.to_name) == 1
        and not given.keys() & {"perregion", "peritem", "visiblewhen", "value"}
        and bool(control.labels)
    )


@EACH
def test_names_labels_and_addresses_are_those_of_the_sdk(config: str):
    theirs, schema = interface.LabelInterface(config), parsed(config)
    for control in schema.controls if schema else ():
        for tag in control.own_tags:
            same = theirs.get_control(tag.name)
            assert same.to_name == [control.image]
            assert (same.tag == "Choices") is not control.is_drawn
            assert {step for path in tag.stored.values() for step in path} == set(same.labels)
    for image in schema.images if schema else ():
        assert theirs.get_object(image.name).value == image.value


@pytest.mark.parametrize("config", LEARNABLE.values(), ids=LEARNABLE)
def test_label_studio_accepts_every_label_in_our_predictions(config: str):
    schema = labeling_config.parse(config)
    validator = Validator(config)
    for prediction in each_label(schema):
        sent = {"task": 1, **codec.serialize(prediction, schema)}
        assert sent["result"]
        assert validator.reason(sent) == ""
        assert codec.fits(sent, schema)


def each_label(schema: LabelSchema) -> Iterator[Prediction]:
    box = Box(0.1, 0.1, 0.2, 0.2)
    shown = {control.name for control in schema.controls if not control.shown_when}
    for control in schema.controls:
        for label in control.labels if control.name in shown else ():
            answer = Regions((Region(box, label, 0.5),)) if control.is_drawn else Choices((label,))
            yield Prediction(ImageRef(TaskId(1), ""), {control.name: answer}, 0.5, V1)
