from pathlib import Path

import pytest

from backend.domain.errors import NoWeights
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine


@pytest.fixture
def working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory with a checkpoint in it, and no network."""
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    folder = tmp_path / "cwd"
    folder.mkdir()
    (folder / "yolo11n.pt").touch()
    monkeypatch.chdir(folder)
    return folder


def test_a_name_is_not_looked_up_in_the_working_directory(working_directory: Path):
    with pytest.raises(NoWeights, match=r"yolo11n\.pt"):
        UltralyticsEngine("yolo11n.pt", working_directory.parent / "data").check()


@pytest.mark.parametrize("start", ["./yolo11n.pt", "{cwd}/yolo11n.pt"])
def test_a_path_is_taken_as_it_is(working_directory: Path, start: str):
    start = start.format(cwd=working_directory)
    UltralyticsEngine(start, working_directory.parent / "data").check()


def test_a_name_is_looked_up_in_the_data_folder(working_directory: Path):
    weights = working_directory.parent / "data" / "weights"
    weights.mkdir(parents=True)
    (working_directory / "yolo11n.pt").rename(weights / "yolo11n.pt")
    UltralyticsEngine("yolo11n.pt", working_directory.parent / "data").check()
