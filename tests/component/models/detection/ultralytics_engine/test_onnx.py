"""The exported network finds what the trained one finds, without torch."""

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from backend.models.detection.engine import Detections
from backend.models.detection.letterbox import letterbox
from backend.models.detection.ultralytics_engine.detector import (
    UltralyticsEngine,
    UltralyticsNetwork,
)
from backend.models.detection.ultralytics_engine.onnx_export import exported
from backend.models.detection.ultralytics_engine.onnx_network import OnnxNetwork

YOLO = Path(__file__).parents[6] / "shared" / "weights" / "yolo11n.pt"
SPEC = find_spec("ultralytics")
assert SPEC and SPEC.origin
PHOTOS = Path(SPEC.origin).parent / "assets"
"""Found without an import: the first one decides about the settings, and replaces `Image.open`."""
SIZE = 320


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version with checkpoint and ONNX file."""
    if not YOLO.is_file():
        pytest.skip("the shared weights are not here")
    folder = tmp_path_factory.mktemp("version")
    (folder / "weights.pt").write_bytes(YOLO.read_bytes())
    network = UltralyticsEngine(str(YOLO), folder)._network(folder / "weights.pt", SIZE)
    found = exported(network.model, SIZE, folder)
    assert found is not None
    (folder / "weights.onnx").write_bytes(found)
    return folder


def photo(name: str, copies: int, size: int = SIZE) -> np.ndarray:
    image: Any = cv2.imread(str(PHOTOS / name))
    return np.stack([letterbox(image, size).pixels] * copies)


def in_order(found: Detections) -> np.ndarray:
    rows = np.column_stack([found.scores, found.labels, found.boxes])
    return rows[np.lexsort((rows[:, 2], -rows[:, 0]))]


@pytest.mark.parametrize("across_labels", [False, True])
@pytest.mark.parametrize(("name", "copies"), [("bus.jpg", 1), ("zidane.jpg", 3)])
def test_onnx_and_torch_find_the_same_boxes(
    version: Path, name: str, copies: int, across_labels: bool
):
    engine = UltralyticsEngine(str(YOLO), version, across_labels=across_labels, threads=2)
    fast = engine.load(version)
    assert isinstance(fast, OnnxNetwork)
    assert fast.image_size == SIZE
    slow = engine._network(version / "weights.pt", SIZE)
    batch = photo(name, copies)
    results = list(zip(fast.detect(batch, 0.05), slow.detect(batch, 0.05), strict=True))
    assert len(results) == copies
    for ours, theirs in results:
        assert len(ours.scores) >= 3
        assert np.allclose(in_order(ours), in_order(theirs), atol=1e-2)


def test_onnx_runtime_gets_no_layers_that_it_runs_slowly(version: Path):
    graph: Any = onnx.load(version / "weights.onnx").graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["Softmax"] == 1, "that of the attention; boxes are placed without one"
    assert kinds["Slice"] == 2, "of the head; no block cuts its channels"
    assert not {"/Div", "/Gather"} & {node.name for node in graph.node}, "pixels come as they are"


def test_callers_in_several_threads_find_what_one_finds(version: Path):
    network = UltralyticsEngine(str(YOLO), version, threads=2).load(version)
    callers = network.callers
    assert callers and callers.threads == 2
    batch = photo("zidane.jpg", 1)
    (alone,) = network.detect(batch, 0.05)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: callers.detect(batch, 0.05), range(8)))
    for (found,) in results:
        assert np.allclose(in_order(found), in_order(alone), atol=1e-3)


def test_a_version_without_an_onnx_file_predicts_with_torch(version: Path, tmp_path: Path):
    (tmp_path / "weights.pt").write_bytes((version / "weights.pt").read_bytes())
    assert isinstance(UltralyticsEngine(str(YOLO), tmp_path).load(tmp_path), UltralyticsNetwork)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_loaded_version_keeps_both_files_when_it_is_saved(
    version: Path, tmp_path: Path, device: str
):
    network = UltralyticsEngine(str(YOLO), tmp_path / "home", device=device).load(version)
    assert isinstance(network, OnnxNetwork) == (device == "cpu")
    network.save(tmp_path)
    for name in ("weights.pt", "weights.onnx"):
        assert (tmp_path / name).read_bytes() == (version / name).read_bytes()


def test_predicting_on_a_cpu_imports_neither_torch_nor_ultralytics(version: Path):
    script = f"""
import sys
from pathlib import Path
import numpy as np
from backend.domain.answers import ImageRef
from backend.models.detection.inference import detect
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
network = UltralyticsEngine("unused.pt", Path(r"{version}")).load(Path(r"{version}"))
photo = Path(r"{PHOTOS / "bus.jpg"}")
(found,) = detect(
    network, [ImageRef(1, "")], lambda ref: photo, [str(k) for k in range(80)], 0.3, lambda *_: None
)
assert len(found.regions) > 2
print(*{{"torch", "ultralytics"}} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_a_network_that_cannot_be_exported_has_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert exported(SimpleNamespace(model=object()), SIZE, tmp_path) is None
    assert "predicts with torch" in caplog.text
    assert not list(tmp_path.iterdir())
