"""What `auto` stands for, on machines that a test describes."""

import pytest

from backend.models.embedding.encoder_choice import Machine, choose

LITE = "efficientnet_lite0"
BOTH = "efficientnet_lite0+efficientnet_lite2"
BASE = "timm:vit_base_patch14_reg4_dinov2.lvd142m"
SMALL = "timm:vit_small_patch14_reg4_dinov2.lvd142m"
EVERYTHING = {LITE, "efficientnet_lite2", BASE, SMALL}


def machine(device: str = "cpu", gigabytes: float = 0, weights: set[str] = EVERYTHING) -> Machine:
    return Machine(device, gigabytes * 1e9, weights.__contains__)


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_without_a_cuda_gpu_precise_joins_two_encoders_and_fast_takes_the_first(device: str):
    assert choose("auto", machine(device), precise=False).backbone == LITE
    assert choose("auto", machine(device), precise=True).backbone == BOTH


def test_precise_does_without_a_second_encoder_that_is_not_installed():
    assert choose("auto", machine(weights={LITE}), precise=True).backbone == LITE


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize(("gigabytes", "taken"), [(80, BASE), (8, BASE), (7.9, SMALL), (2, SMALL)])
def test_a_gpu_takes_the_dinov2_that_its_memory_holds(gigabytes: float, taken: str, precise: bool):
    choice = choose("auto", machine("cuda:1", gigabytes), precise=precise)

    assert (choice.backbone, choice.shortfall) == (taken, "")


def test_the_small_dinov2_is_taken_where_only_its_weights_can_be_had():
    assert choose("auto", machine("cuda", 80, {LITE, SMALL}), precise=False).backbone == SMALL


@pytest.mark.parametrize(("precise", "taken"), [(False, LITE), (True, BOTH)])
def test_a_gpu_without_the_weights_falls_back_and_says_why(precise: bool, taken: str):
    choice = choose("auto", machine("cuda", 80, {LITE, "efficientnet_lite2"}), precise=precise)

    assert choice.backbone == taken
    assert f"{BASE} would suit this GPU better than {taken}" in choice.shortfall
    assert "weights" in choice.shortfall


def test_an_encoder_that_is_named_is_taken_on_every_machine():
    for asked in ("torchvision:resnet18", LITE, BOTH):
        assert choose(asked, machine("cuda", 80), precise=True).backbone == asked
