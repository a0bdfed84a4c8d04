"""Whether a backbone can be had is known before a job starts, and without torch."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torchvision import models
from torchvision.models import get_model_weights, list_models

from backend.cli import doctor
from backend.domain.errors import NoWeights
from backend.models.classification.family import classifier_family
from backend.models.embedding.backbones import Backbone, backbone
from backend.models.embedding.encoders import check, export_path
from backend.settings import Settings

DINOV2 = "timm:vit_small_patch14_dinov2"
HUB = "hugging/hub/models--timm--vit_small_patch14_dinov2.lvd142m"
PUBLISHED = {
    DINOV2: f"{HUB}/snapshots/1a2b/model.safetensors",
    "torchvision:resnet18": "torch/hub/checkpoints/resnet18-f37072fd.pth",
}
ASKED: dict[str, Callable[[Settings], object]] = {
    "doctor": doctor.backbone,
    "job": lambda settings: classifier_family(settings, "cpu").check(),
}


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A proxy for all hosts that accepts connections once it is called; the caches are empty."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging"))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield listener.listen


def settings(tmp_path: Path, name: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", backbone=name)


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_weights_that_are_nowhere_are_missed_with_a_hint(
    tmp_path: Path, name: str, ask: Callable[[Settings], object]
) -> None:
    with pytest.raises(NoWeights, match=name) as raised:
        ask(settings(tmp_path, name))
    assert "AUTOLABEL_BACKBONE_WEIGHTS" in raised.value.hint


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_of_joined_encoders_the_one_whose_weights_are_missing_is_named(
    tmp_path: Path, ask: Callable[[Settings], object]
) -> None:
    missing = next(iter(PUBLISHED))
    with pytest.raises(NoWeights, match=missing):
        ask(settings(tmp_path, f"efficientnet_lite0+{missing}"))


@pytest.mark.usefixtures("proxy")
def test_doctor_checks_the_stronger_encoder_too(tmp_path: Path) -> None:
    found = doctor.backbone(Settings(data_dir=tmp_path, upgrade_backbone="efficientnet_lite2"))
    assert re.match(r"efficientnet_lite0 from \S+; efficientnet_lite2 from \S+ when", found)

    with pytest.raises(NoWeights, match="resnet18"):
        doctor.backbone(Settings(data_dir=tmp_path, upgrade_backbone="torchvision:resnet18"))


def test_doctor_names_a_license_that_restricts_the_use(
    tmp_path: Path, proxy: Callable[[], None]
) -> None:
    proxy()
    name = "timm:convnextv2_tiny.fcmae_ft_in22k_in1k"
    assert "under CC-BY-NC-4.0, which forbids" in doctor.backbone(settings(tmp_path, name))


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_may_be_downloaded_over_a_proxy(
    tmp_path: Path, name: str, proxy: Callable[[], None]
) -> None:
    proxy()
    assert Backbone(name).host in doctor.backbone(settings(tmp_path, name))


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_that_were_downloaded_before_or_exported_will_do(tmp_path: Path, name: str) -> None:
    exported = export_path(backbone(settings(tmp_path, name)), tmp_path / "data")
    downloaded = tmp_path / PUBLISHED[name]
    for path in (exported, downloaded):
        path.parent.mkdir(parents=True)
        path.touch()
        check(Backbone(name), tmp_path / "data")
        path.unlink()


@pytest.mark.usefixtures("proxy")
def test_a_file_and_a_package_need_no_network(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").touch()
    check(Backbone(DINOV2, tmp_path / "mine.pth"), tmp_path)
    check(Backbone("efficientnet_lite0"), tmp_path)
    with pytest.raises(NoWeights, match=r"no weights file .*none\.pth"):
        check(Backbone(DINOV2, tmp_path / "none.pth"), tmp_path)


def test_the_file_of_every_model_of_torchvision_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in list_models(module=models):
        file = folder / get_model_weights(name).DEFAULT.url.rpartition("/")[2]
        file.touch()
        assert Backbone(f"torchvision:{name}").downloaded() == file
        file.unlink()
