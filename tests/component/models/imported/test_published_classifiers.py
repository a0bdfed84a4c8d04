"""Classifiers by their published names: from a cache, or a message that says how to fill it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision import models

from backend.domain.errors import BadInput, NoWeights
from backend.domain.ids import Label
from backend.models.imported import card as cards
from backend.models.imported.reading import ModelFiles
from backend.models.imported.torch_files import open_classifier
from backend.settings import Settings

TINY, SQUEEZE = "timm:test_resnet.r160_in1k", "torchvision:squeezenet1_1"


@pytest.fixture(autouse=True)
def _nobody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Leave the caches empty, and let nobody listen where the proxy should be."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging"))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield


def opened(source: str, tmp_path: Path):
    return ModelFiles(Settings(data_dir=tmp_path)).open(source, trust=False)


def cached(source: str, tmp_path: Path) -> torch.nn.Module:
    """Put a random network where the library keeps the published one."""
    torch.manual_seed(0)
    name = source.partition(":")[2]
    if source.startswith("timm:"):
        network = timm.create_model(name)
        place = (
            tmp_path / "hugging/hub" / f"models--timm--{name}" / "snapshots/1a/model.safetensors"
        )
        place.parent.mkdir(parents=True)
        save_file(network.state_dict(), place)
        return network
    network = models.get_model(name, weights=None)
    place = (
        tmp_path / "torch/hub/checkpoints" / Path(models.get_model_weights(name).DEFAULT.url).name
    )
    place.parent.mkdir(parents=True)
    torch.save(network.state_dict(), place)
    return network


@pytest.mark.parametrize("source", [TINY, SQUEEZE])
def test_a_published_classifier_brings_the_names_of_its_classes(tmp_path: Path, source: str):
    network = cached(source, tmp_path).eval()
    model = opened(source, tmp_path)
    assert not model.is_detector
    assert len(model.names) == 1000
    assert model.names[0] == "tench"
    model.write(tmp_path, {"tench": Label("fish")})
    card = cards.read(tmp_path)
    assert card.source == source
    pixels = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        answer = open_classifier(card, tmp_path, "cpu").network(pixels)
        assert torch.allclose(answer, network(pixels), atol=1e-4)


@pytest.mark.parametrize("source", [TINY, SQUEEZE])
def test_without_a_network_the_message_says_where_the_weights_belong(tmp_path: Path, source: str):
    with pytest.raises(NoWeights, match=f"{source}.*does not answer") as raised:
        opened(source, tmp_path)
    assert str(tmp_path) in raised.value.hint


@pytest.mark.parametrize(
    ("source", "near"),
    [("timm:test_resnett", "test_resnet"), ("torchvision:resnet19", "resnet18")],
)
def test_a_name_that_nobody_publishes_is_answered_with_similar_ones(
    tmp_path: Path, source: str, near: str
):
    with pytest.raises(BadInput, match="publishes no classifier") as raised:
        opened(source, tmp_path)
    assert near in raised.value.hint


def test_a_detector_of_torchvision_is_no_classifier(tmp_path: Path):
    with pytest.raises(BadInput, match="publishes no classifier"):
        opened("torchvision:fasterrcnn_resnet50_fpn", tmp_path)
