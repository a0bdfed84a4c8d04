import inspect
from pathlib import Path

import pytest
from torchvision.models import get_model_builder, get_model_weights

from backend.domain.errors import NoWeights
from backend.models.detection.torchvision_engine import weights
from backend.models.detection.torchvision_engine.weights import HOST, PUBLISHED, PretrainedWeights

FASTER = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_files_are_those_that_torchvision_publishes(name: str):
    url = get_model_weights(name).DEFAULT.url
    assert url == PretrainedWeights.of(name, Path()).url()
    backbone = inspect.signature(get_model_builder(name)).parameters["weights_backbone"].default
    if PUBLISHED[name].imagenet and backbone:
        assert backbone.url.rsplit("/", 1)[1] == PUBLISHED[name].imagenet


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a host that nobody answers for (the reserved name of RFC 2606)."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "HOST", "nobody.invalid")
    assert HOST != weights.HOST


@pytest.mark.usefixtures("no_network")
def test_without_weights_or_network_the_hint_names_the_setting(tmp_path: Path):
    with pytest.raises(NoWeights, match="AUTOLABEL_DETECTOR to torchvision:NAME@"):
        PretrainedWeights.of(FASTER, tmp_path).check()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("folder", ["weights", "torch/hub/checkpoints"])
@pytest.mark.parametrize("which", ["coco", "imagenet"])
def test_weights_in_either_folder_will_do(tmp_path: Path, folder: str, which: str):
    path = tmp_path / folder / getattr(PUBLISHED[FASTER], which)
    path.parent.mkdir(parents=True)
    path.touch()
    start = PretrainedWeights.of(FASTER, tmp_path / "weights")
    start.check()
    assert getattr(start, which)() == path


def test_a_file_of_the_users_own_wins_and_must_exist(tmp_path: Path):
    path = tmp_path / "own.pth"
    start = PretrainedWeights.of(f"any_name@{path}", tmp_path)
    with pytest.raises(NoWeights, match=r"own\.pth"):
        start.check()
    path.touch()
    start.check()


def test_a_detector_that_torchvision_does_not_have_is_answered_with_those_it_has(tmp_path: Path):
    with pytest.raises(NoWeights, match=FASTER):
        PretrainedWeights.of("yolo", tmp_path).check()
