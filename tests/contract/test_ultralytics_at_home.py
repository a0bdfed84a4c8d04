"""Ultralytics writes below the data folder only, and asks the network nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
YOLO = ROOT.parent / "shared" / "weights" / "yolo11n.pt"

TRAIN_AND_PREDICT = """
import json, socket, sys
from pathlib import Path

asked = []

def refuse(*args, **kwargs):
    asked.append(repr(args))
    raise OSError("no network in this test")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse

from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from tests.fakes.detection_training_sets import RecordedProgress, fetch, training_set

data, start = Path(sys.argv[1]), sys.argv[2]
family = DetectorFamily(UltralyticsEngine(start, data / "home"), image_size=96, epochs=1)
asked_of = training_set(data / "images", train=5, held_out=2)
model = family.fit(asked_of)
model.predict(asked_of.held_out, fetch, RecordedProgress())
print(json.dumps(asked))
"""


@pytest.mark.skipif(not YOLO.is_file(), reason="the shared weights are not here")
def test_nothing_is_written_elsewhere_printed_or_sent(tmp_path: Path):
    # given a user with settings of Ultralytics' of their own
    home, cwd, data = (tmp_path / name for name in ("user", "cwd", "data"))
    settings = home / ".config" / "Ultralytics" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"mine": true}')
    cwd.mkdir()
    keep = {name: value for name, value in os.environ.items() if not name.startswith("YOLO")}
    environment = {**keep, "HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "ULTRALYTICS_API_KEY": "ul_" + "0" * 40}
    # when a model is trained and asked
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_AND_PREDICT, str(data), str(YOLO)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    # then
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [], "asked the network, or printed"
    assert list(cwd.iterdir()) == []
    assert files(home) == {settings.relative_to(home)}
    assert settings.read_text() == '{"mine": true}'
    assert files(data / "home") == {Path("ultralytics/Ultralytics/settings.json")}


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
