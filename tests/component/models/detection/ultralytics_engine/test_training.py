"""What a checkpoint has to be before Ultralytics trains from it."""

from pathlib import Path

import pytest
import torch

from backend.domain.errors import NoWeights
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from tests.fakes.detection_training_sets import training_set

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 5613764\n"


@pytest.mark.parametrize("content", [POINTER, b"", b"PK\x03\x04 cut short", b"\x89PNG\r\n"])
def test_a_file_that_is_no_checkpoint_is_named_with_the_setting(tmp_path: Path, content: bytes):
    start = tmp_path / "yolo11n.pt"
    start.write_bytes(content)
    with pytest.raises(NoWeights, match=r"yolo11n\.pt.*AUTOLABEL_DETECTOR"):
        fit(tmp_path, start)


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, {"model": {"weight": 1}}])
def test_weights_of_something_else_are_named_too(tmp_path: Path, content: object):
    start = tmp_path / "other.pt"
    torch.save(content, start)
    with pytest.raises(NoWeights, match=r"other\.pt"):
        fit(tmp_path, start)


def fit(folder: Path, start: Path) -> None:
    engine = UltralyticsEngine(str(start), folder / "data")
    DetectorFamily(engine, image_size=64, epochs=1).fit(training_set(folder, train=1, held_out=0))
