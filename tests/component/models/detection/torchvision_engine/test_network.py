from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.domain.errors import NoWeights
from backend.models.detection.torchvision_engine.network import build, from_pretrained, load
from backend.models.detection.torchvision_engine.training import RECIPE
from backend.models.detection.torchvision_engine.weights import PretrainedWeights
from tests.fakes.small_detector import SMALL

BATCH = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)


def network(folder: Path, name: str = SMALL, classes: int = 2, *, across: bool = False):
    torch.manual_seed(0)
    save_file(build(name, classes, 96).state_dict(), folder / "start.safetensors")
    start = PretrainedWeights.of(f"{name}@{folder / 'start.safetensors'}", folder)
    return from_pretrained(start, classes, 96, "cpu", across_labels=across)


@pytest.mark.parametrize(
    "name", [SMALL, "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"]
)
def test_detections_have_known_labels_scores_above_the_minimum_and_lie_within_the_image(
    tmp_path: Path, name: str
):
    built = network(tmp_path, name)
    found = built.detect(BATCH, min_score=0.0)
    assert len(found) == 2
    boxes = np.concatenate([one.boxes for one in found])
    labels = np.concatenate([one.labels for one in found])
    assert len(boxes) > 0
    assert set(labels.tolist()) <= {0, 1}
    assert (boxes >= 0).all()
    assert (boxes <= (96, 64, 96, 64)).all()
    assert all((one.scores > 0.3).all() for one in built.detect(BATCH, min_score=0.3))


def test_of_boxes_of_different_labels_only_one_stays_where_wanted(tmp_path: Path):
    every = network(tmp_path).detect(BATCH, min_score=0.0)
    best = network(tmp_path, across=True).detect(BATCH, min_score=0.0)
    assert sum(len(one.scores) for one in best) < sum(len(one.scores) for one in every)


def test_a_saved_network_finds_the_same_and_holds_no_code(tmp_path: Path):
    built = network(tmp_path)
    built.save(tmp_path)
    again = load(tmp_path, "cpu", across_labels=False)
    assert again.image_size == 96
    one, other = (net.detect(BATCH, min_score=0.0)[0] for net in (built, again))
    assert np.allclose(one.boxes, other.boxes)
    assert [path.suffix for path in tmp_path.glob("weights.*")] == [".safetensors"]


def test_a_saved_network_goes_on_with_images_of_another_size(tmp_path: Path):
    built = network(tmp_path)
    built.save(tmp_path)
    larger = load(tmp_path, "cpu", across_labels=False, image_size=160)
    assert larger.image_size == 160
    assert larger.module.transform.max_size == 160
    old, new = built.module.state_dict(), larger.module.state_dict()
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_a_start_for_other_labels_gives_all_but_its_last_layer(tmp_path: Path):
    five = network(tmp_path, classes=5).module.state_dict()
    start = PretrainedWeights.of(f"{SMALL}@{tmp_path / 'start.safetensors'}", tmp_path)
    two = from_pretrained(start, 2, 96, "cpu", across_labels=False).module.state_dict()
    other = {name for name in two if two[name].shape != five[name].shape}
    assert all(torch.equal(two[name], five[name]) for name in two.keys() - other)
    assert {name.rsplit(".", 1)[0] for name in other} == {"head.classification_head.cls_logits"}


def test_a_file_for_another_network_is_refused(tmp_path: Path):
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    start = PretrainedWeights.of(f"{SMALL}@{tmp_path / 'other.safetensors'}", tmp_path)
    with pytest.raises(NoWeights, match=SMALL):
        from_pretrained(start, 2, 96, "cpu", across_labels=False)


@pytest.mark.parametrize("name", ["nonsense", "resnet50", "maskrcnn_resnet50_fpn"])
def test_a_name_of_no_detector_is_answered_with_those_there_are(tmp_path: Path, name: str):
    save_file({"other": torch.zeros(1)}, tmp_path / "any.safetensors")
    with pytest.raises(NoWeights, match=rf"no detector {name}.*fasterrcnn"):
        from_pretrained(
            PretrainedWeights.of(f"{name}@{tmp_path / 'any.safetensors'}", tmp_path),
            2,
            96,
            "cpu",
            across_labels=False,
        )


def test_a_damaged_download_is_reported_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def spoiled(*_: object, **__: object) -> None:
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "download_url_to_file", spoiled)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    start = PretrainedWeights.of("ssdlite320_mobilenet_v3_large", tmp_path)
    with pytest.raises(NoWeights, match="invalid hash"):
        from_pretrained(start, 2, 96, "cpu", across_labels=False)


def test_a_pickle_that_would_run_code_is_not_loaded(tmp_path: Path):
    torch.save({"weights": Path}, tmp_path / "evil.pth")
    start = PretrainedWeights.of(f"{SMALL}@{tmp_path / 'evil.pth'}", tmp_path)
    with pytest.raises(NoWeights):
        from_pretrained(start, 2, 96, "cpu", across_labels=False)


def test_a_file_without_weights_is_named(tmp_path: Path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "tensor.pth").read_bytes()[:200])
    torch.save({"epoch": 3, "model": {}}, tmp_path / "training.pth")
    (tmp_path / "zeros.safetensors").write_bytes(bytes(40))
    for path in tuple(tmp_path.iterdir()):
        with pytest.raises(NoWeights, match=path.name):
            from_pretrained(
                PretrainedWeights.of(f"{SMALL}@{path}", tmp_path), 2, 96, "cpu", across_labels=False
            )


def test_a_frozen_backbone_is_not_trained_and_the_heads_have_a_higher_learning_rate(tmp_path: Path):
    module = network(tmp_path).module
    backbone, rest = RECIPE.groups(module)
    assert 0 < backbone["share"] < rest["share"]
    RECIPE.freeze(module, 1.0)
    (rest,) = RECIPE.groups(module)
    assert rest["params"]
