"""Backbones: the same vectors on every runtime, and clear errors where weights are missing."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.domain.errors import BadInput, NoWeights
from backend.models.embedding.backbone_networks import Embedder, load_network
from backend.models.embedding.backbones import Backbone, backbone
from backend.models.embedding.encoders import OnnxEncoder, compute_device, export_path, open_encoder
from backend.models.embedding.export import ExportFailed, export
from backend.models.embedding.licences import restriction
from backend.models.embedding.torch_encoder import TorchEncoder
from backend.settings import Settings

ONE_OF_EACH = ["efficientnet_lite0", "timm:mobilenetv3_small_050", "torchvision:resnet18"]


def settings(data_dir: Path, **more) -> Settings:
    return Settings(data_dir=data_dir, device="cpu", threads=1, **more)


def some_images(side: int, count: int = 5) -> np.ndarray:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(small.repeat(side // 8, axis=1).repeat(side // 8, axis=2))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the exported default backbone."""
    folder = tmp_path_factory.mktemp("data")
    open_encoder(backbone(settings(folder)), "cpu", settings(folder))
    return folder


def test_torch_and_onnx_runtime_give_the_same_unit_vectors(data_dir: Path) -> None:
    onnx = open_encoder(backbone(settings(data_dir)), "cpu", settings(data_dir))
    reference = TorchEncoder(load_network(backbone(settings(data_dir))), "cpu", 1)
    images = some_images(onnx.side)

    vectors, expected = onnx.embed(images), reference.embed(images)

    assert isinstance(onnx, OnnxEncoder)
    assert vectors.shape == (5, 1280) == (5, onnx.width) == (5, reference.width)
    assert vectors.dtype == np.float16
    assert np.allclose(np.linalg.norm(vectors.astype(float), axis=1), 1, atol=1e-3)
    assert np.abs(vectors.astype(float) - expected.astype(float)).max() < 1e-3
    assert np.abs(vectors[0].astype(float) - vectors[1].astype(float)).max() > 0.01


def test_a_damaged_export_is_set_aside_and_made_anew(
    tmp_path: Path, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = backbone(settings(tmp_path))
    sound = export_path(chosen, data_dir).read_bytes()
    path = export_path(chosen, tmp_path)
    path.parent.mkdir()
    path.write_bytes(sound[: len(sound) // 2])
    assert isinstance(open_encoder(chosen, "cpu", settings(tmp_path)), OnnxEncoder)
    assert path.with_name(f"damaged-{path.name}").exists()
    assert "damaged and set aside" in caplog.text
    assert path.stat().st_size == len(sound)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_mixed_precision_on_cuda_gives_the_same_vectors(data_dir: Path) -> None:
    onnx = open_encoder(backbone(settings(data_dir)), "cpu", settings(data_dir))
    cuda = open_encoder(backbone(settings(data_dir)), "cuda", settings(data_dir))
    images = some_images(onnx.side, 40)

    difference = onnx.embed(images).astype(float) - cuda.embed(images).astype(float)

    assert np.abs(difference).max() < 1e-3


def test_an_exported_backbone_needs_no_torch(data_dir: Path) -> None:
    program = f"""
import sys, numpy as np
from pathlib import Path
from backend.models.embedding.extractors import open_extractor
from backend.settings import Settings
from tests.fakes.image_files import FakeImageFiles
settings = Settings(data_dir=Path({str(data_dir)!r}), device="cpu", threads=1)
encoder = open_extractor(settings, FakeImageFiles()).named("efficientnet_lite0").encoder()
encoder.embed(np.zeros((2, 224, 224, 3), np.uint8))
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_exported_backbone_writes_nothing_into_the_home_of_the_user(
    data_dir: Path, tmp_path: Path
) -> None:
    program = f"""
import numpy as np
from pathlib import Path
from backend.models.embedding.backbones import backbone
from backend.models.embedding.encoders import open_encoder
from backend.settings import Settings
settings = Settings(data_dir=Path({str(data_dir)!r}), device="cpu", threads=1)
open_encoder(backbone(settings), "cpu", settings).embed(np.zeros((2, 224, 224, 3), np.uint8))
"""
    dropped = ("XDG_", "ORT_", "CI", "GITHUB_", "PYTEST_")  # whatever else makes it write nothing
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    environment = {**kept, "HOME": str(tmp_path)}
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode
        == 0
    )
    assert not list(tmp_path.iterdir())


def test_opening_the_extractor_starts_no_thread_and_imports_no_torch(
    data_dir: Path,
) -> None:
    program = f"""
import sys, os
from pathlib import Path
from backend.models.embedding.extractors import open_extractor
from backend.settings import Settings
settings = Settings(data_dir=Path({str(data_dir)!r}), device="cpu")
open_extractor(settings, None)
sys.exit("torch" in sys.modules or len(os.listdir("/proc/self/task")) > 1)
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment, check=False).returncode == 0


def test_several_threads_may_embed_at_once(data_dir: Path) -> None:
    encoder = open_encoder(backbone(settings(data_dir)), "cpu", settings(data_dir))
    images = some_images(encoder.side, 4)
    expected = encoder.embed(images)
    answers: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: answers.append(encoder.embed(images))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 4
    assert all((answer == expected).all() for answer in answers)


def test_a_local_weights_file_gives_vectors_and_a_cache_of_its_own(tmp_path: Path) -> None:
    network = load_network(Backbone("efficientnet_lite0")).body.network
    state = {name: value * 1.01 for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "mine.pth")

    mine = backbone(settings(tmp_path, backbone_weights=tmp_path / "mine.pth"))

    assert mine.slug != backbone(settings(tmp_path)).slug
    loaded = load_network(mine).body.network.state_dict()
    assert torch.equal(loaded["_fc.weight"], state["_fc.weight"])


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "timm:mobilenetv3_small_050", "torchvision:resnet18"]
)
def test_a_missing_or_wrong_weights_file_is_named(tmp_path: Path, name: str) -> None:
    wrong = tmp_path / "wrong.pth"
    torch.save({"something": torch.zeros(1)}, wrong)
    for path, words in ((tmp_path / "none.pth", "no weights file"), (wrong, "does not hold")):
        with pytest.raises(NoWeights, match=words) as raised:
            load_network(Backbone(name, path))
        assert str(path) in str(raised.value)
        assert "AUTOLABEL_BACKBONE_WEIGHTS" in raised.value.hint


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "timm:mobilenetv3_small_050", "torchvision:resnet18"]
)
def test_a_file_that_holds_no_weights_at_all_is_named(tmp_path: Path, name: str) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "model.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    (tmp_path / "page.pth").write_bytes(b"<html>")
    (tmp_path / "zeros.safetensors").write_bytes(bytes(40))
    for path in tmp_path.iterdir():
        with pytest.raises(NoWeights, match=path.name):
            load_network(Backbone(name, path))


def test_weights_that_cannot_be_downloaded_say_which_setting_takes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    caches = {"timm:vit_small_patch14_dinov2": "hugging", "torchvision:resnet18": "torch"}
    for name, cache in caches.items():
        with pytest.raises(NoWeights, match="cannot be downloaded") as raised:
            load_network(Backbone(name))
        assert "AUTOLABEL_BACKBONE_WEIGHTS" in raised.value.hint
        assert str(tmp_path / cache) in raised.value.hint
    assert not list(cwd.iterdir()), "weights belong into a cache, not into the working directory"


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("mobilenet_v3_small", 1024),
        pytest.param("resnet18", 512, marks=pytest.mark.no_cover),
        pytest.param("shufflenet_v2_x0_5", 1024, marks=pytest.mark.no_cover),
    ],
)
def test_torchvision_models_lose_their_head_and_are_exported(
    tmp_path: Path, name: str, width: int
) -> None:
    from torchvision.models import get_model

    torch.manual_seed(0)
    torch.save(get_model(name, weights=None).state_dict(), tmp_path / "weights.pth")
    chosen = Backbone(f"torchvision:{name}", tmp_path / "weights.pth")

    encoder = open_encoder(chosen, "cpu", settings(tmp_path))

    assert isinstance(encoder, OnnxEncoder)
    assert encoder.width == width
    assert encoder.embed(some_images(encoder.side, 3)).shape == (3, width)


def timm_weights(tmp_path: Path, name: str) -> Path:
    """Random weights of a timm model with its published head."""
    torch.manual_seed(0)
    path = tmp_path / f"{name}.safetensors"
    save_file(timm.create_model(name).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("name", "side", "width"),
    [
        ("mobilenetv3_small_050", 224, 1024),
        pytest.param("vit_small_patch14_dinov2", 224, 384, marks=pytest.mark.no_cover),
    ],
)
def test_timm_models_lose_their_head_and_are_exported(
    tmp_path: Path, name: str, side: int, width: int
) -> None:
    chosen = Backbone(f"timm:{name}", timm_weights(tmp_path, name))

    encoder = open_encoder(chosen, "cpu", settings(tmp_path))

    assert isinstance(encoder, OnnxEncoder)
    assert (encoder.side, encoder.width) == (side, width)
    images = some_images(side, 3)
    expected = TorchEncoder(load_network(chosen), "cpu", 1).embed(images)
    assert np.abs(encoder.embed(images).astype(float) - expected.astype(float)).max() < 1e-3


def test_a_timm_model_normalises_colours_as_it_was_trained(tmp_path: Path) -> None:
    name = "vit_tiny_patch16_224.augreg_in21k"  # mean and deviation 0.5
    chosen = Backbone(f"timm:{name}", timm_weights(tmp_path, name))

    network = load_network(chosen)

    assert network.mean.flatten().tolist() == network.deviation.flatten().tolist() == [127.5] * 3


def test_weights_in_the_cache_of_the_hub_are_used_without_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    weights = timm_weights(tmp_path, "mobilenetv3_small_050")
    repository = tmp_path / "hugging" / "hub" / "models--timm--mobilenetv3_small_050.lamb_in1k"
    for folder in ("refs", "snapshots/1a2b"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs" / "main").write_text("1a2b")
    weights.rename(repository / "snapshots" / "1a2b" / "model.safetensors")

    assert load_network(Backbone("timm:mobilenetv3_small_050")).side == 224


def test_weights_that_may_not_be_used_freely_are_known_by_every_name_that_timm_gives_them() -> None:
    restricted = {
        "cc-by-nc-4.0", "apple-amlr", "fair-noncommercial-research-license", "dinov3-license",
        "seer-license",
    }  # fmt: skip
    names = [*timm.list_models(), *timm.list_models(pretrained=True)]
    published = {name: timm.get_pretrained_cfg(name) for name in names}
    wrong = [
        (name, config.license)
        for name, config in published.items()
        if config and config.has_weights
        if bool(restriction(f"timm:{name}")) != (config.license in restricted)
    ]
    assert wrong == []


def test_efficientnet_lite2_loads_from_its_wheel() -> None:
    network = load_network(Backbone("efficientnet_lite2"))

    assert TorchEncoder(network, "cpu", 1).embed(some_images(260, 2)).shape == (2, 1280)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("dinov2_vits14", "did you mean timm:vit_small_patch14_dinov2.lvd142m"),
        ("efficientnet_lite", "did you mean efficientnet_lite"),
        ("resnet18", "timm:NAME or torchvision:NAME$"),
    ],
)
def test_an_unknown_backbone_is_refused_with_the_names_that_exist(
    tmp_path: Path, name: str, suggested: str
) -> None:
    with pytest.raises(BadInput, match=f"no backbone is called '{name}'") as raised:
        backbone(Settings(data_dir=tmp_path, backbone=name))
    assert re.search(suggested, raised.value.hint)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision:resnet1", "no classification model 'resnet1'"),
        ("timm:mobilenetv3_smal_050", "no pretrained model 'mobilenetv3_smal_050'"),
        ("timm:mobilenetv3_small_050.nope", "no pretrained model"),
        ("timm:hf-hub:someone/model", "no pretrained model"),
        ("timm:vit_base_patch16_sapiens2.fb", "takes 768 x 1024 images"),
    ],
)
def test_a_model_that_a_library_lacks_or_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, words: str
) -> None:
    weights = tmp_path / "weights.pth"
    torch.save({}, weights)
    with pytest.raises(BadInput, match=words):
        load_network(Backbone(name, weights))


def test_an_unknown_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="AUTOLABEL_DEVICE is cuda:77"):
        compute_device("cuda:77")


class Greedy(nn.Module):
    """Runs out of memory on more than three images."""

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return images.mean((2, 3))


def test_the_batch_is_halved_until_it_fits(caplog: pytest.LogCaptureFixture) -> None:
    colours = (0.0,) * 3, (1.0,) * 3
    encoder = TorchEncoder(Embedder(Greedy(), 8, colours), "cpu", 1)
    images = some_images(8, 37)

    vectors = encoder.embed(images)

    mean = images.mean((1, 2))
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    assert np.abs(vectors - expected).max() < 1e-3
    assert encoder.batch <= 3
    assert "out of memory" in caplog.text


class Inexpressible(nn.Module):
    """Has a branch that depends on the data, of which an exporter sees one side."""

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((2, 3))
        return mean.flip(1) if float(images.sum()) > 0 else mean


def test_a_network_that_exports_wrongly_runs_on_torch_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = Embedder(Inexpressible(), 8, ((0.0,) * 3, (1.0,) * 3))
    with pytest.raises(ExportFailed):
        export(network, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())

    monkeypatch.setattr(
        "backend.models.embedding.backbone_networks.load_network", lambda chosen: network
    )
    chosen = backbone(settings(tmp_path))
    encoder = open_encoder(chosen, "cpu", settings(tmp_path))

    assert isinstance(encoder, TorchEncoder)
    assert not export_path(chosen, tmp_path).exists()
    assert "runs on torch" in caplog.text


def test_threads_that_export_at_once_take_turns(tmp_path: Path) -> None:
    network = Embedder(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), 8, ((0.0,) * 3, (1.0,) * 3))
    path = tmp_path / "weights" / "a.onnx"
    threads = [threading.Thread(target=export, args=(network, path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert OnnxEncoder(path).width == 3
    assert [one.name for one in path.parent.iterdir()] == ["a.onnx"]
