"""Which weights belong to a name."""

from pathlib import Path

import pytest

from backend.domain.errors import BadInput
from backend.models.embedding.backbones import Backbone, backbone, backbones, slug
from backend.settings import Settings

LITE = "efficientnet_lite0"


def test_auto_names_the_encoder_that_needs_no_download(tmp_path: Path):
    assert backbone(Settings(data_dir=tmp_path)).name == LITE
    assert backbone(Settings(data_dir=tmp_path, backbone="auto")).name == LITE


def test_a_weights_file_belongs_to_the_named_encoder_alone(tmp_path: Path):
    mine = tmp_path / "mine.pth"
    settings = Settings(data_dir=tmp_path, backbone_weights=mine)

    assert [one.weights for one in backbones(LITE, settings)] == [mine]
    assert [one.weights for one in backbones(f"{LITE}+torchvision:resnet18", settings)] == [
        None
    ] * 2


def test_one_weights_file_for_two_encoders_is_refused(tmp_path: Path):
    name = f"{LITE}+efficientnet_lite2"
    settings = Settings(data_dir=tmp_path, backbone=name, backbone_weights=tmp_path / "mine.pth")

    with pytest.raises(BadInput, match="AUTOLABEL_BACKBONE_WEIGHTS is one file"):
        backbones(name, settings)


def test_the_slug_of_joined_encoders_identifies_the_weights_of_each(tmp_path: Path):
    for name in ("one.pth", "two.pth"):
        (tmp_path / name).write_text(name)
    one, two = (Backbone(LITE, tmp_path / name) for name in ("one.pth", "two.pth"))

    assert slug([one]) == one.slug
    assert len({slug([one, two]), slug([two, one]), slug([one, one])}) == 3
