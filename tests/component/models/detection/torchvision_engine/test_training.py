from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from backend.domain.answers import Regions
from backend.models.detection.torchvision_engine.detector import TorchvisionEngine
from backend.models.detection.torchvision_engine.network import build
from backend.models.detection.training_plan import plan
from tests.fakes.detection_training_sets import training_set
from tests.fakes.small_detector import SMALL


def trained(folder: Path, seed: int, start: Path) -> Mapping[str, Tensor]:
    asked = training_set(folder / "images", train=4, held_out=0, seed=seed)
    chosen = plan([Regions(())] * 4, on_gpu=False, minutes=5.0, continued=False)
    short = replace(chosen, epochs=2, image_size=64)
    network = TorchvisionEngine(f"{SMALL}@{start}", folder).train(asked, short, None).network
    return network.module.state_dict()


def test_the_seed_alone_decides_what_is_learned(tmp_path: Path):
    start = tmp_path / "start.pth"
    other_labels = build(SMALL, 5, 64)  # so the new heads get random weights
    torch.save(other_labels.state_dict(), start)
    one = trained(tmp_path, 3, start)
    torch.manual_seed(99)
    again, other = trained(tmp_path, 3, start), trained(tmp_path, 4, start)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
