from pathlib import Path

from backend.demo.processes import demo_settings
from backend.settings import Settings


def test_the_demo_uses_the_weights_that_the_user_has(tmp_path: Path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "yolo11n.pt").write_text("a checkpoint")
    ours = demo_settings(Settings(data_dir=tmp_path), tmp_path / "demo", "http://x", "token")
    assert (ours.data_dir / "weights" / "yolo11n.pt").read_text() == "a checkpoint"
    assert ours.data_dir.is_relative_to(tmp_path / "demo")
