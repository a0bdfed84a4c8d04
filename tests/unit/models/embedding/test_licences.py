"""Which weights are named as restricted."""

import logging

import pytest

from backend.models.embedding.licences import restriction
from tests.fakes.encoder import MeanColour, extractor_of
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet

CONVNEXT = "timm:convnextv2_tiny.fcmae_ft_in22k_in1k"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:fastvit_mci2.apple_mclip", "apple-amlr, which forbids commercial use"),
        (CONVNEXT, "CC-BY-NC-4.0, which forbids commercial use"),
        ("timm:convnextv2_tiny", "CC-BY-NC-4.0"),
        ("timm:vit_small_patch16_dinov3.lvd1689m", "DINOv3 license: access on request"),
    ],
)
def test_weights_that_restrict_their_use_are_named_with_their_license(name: str, words: str):
    assert words in restriction(name)


@pytest.mark.parametrize(
    "name",
    [
        "efficientnet_lite0",
        "torchvision:resnet18",
        "timm:convnext_tiny.in12k_ft_in1k",
        "timm:vit_base_patch14_reg4_dinov2.lvd142m",
    ],
)
def test_freely_licensed_weights_are_not(name: str):
    assert restriction(name) == ""


def test_the_log_names_the_license_when_such_an_encoder_is_opened(
    tmp_path, caplog: pytest.LogCaptureFixture
):
    extractor = extractor_of(tmp_path, FakeImageFiles(), MeanColour(), {CONVNEXT: MeanColour()})
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            extractor.extract([], quiet, CONVNEXT)

    assert [record.getMessage() for record in caplog.records] == [
        f"the weights of {CONVNEXT} are under CC-BY-NC-4.0, which forbids commercial use"
    ]
