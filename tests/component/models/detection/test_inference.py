import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain.answers import ImageRef, Regions
from backend.domain.errors import Stopped, UnreadableImage
from backend.domain.ids import TaskId
from backend.models.detection.edits import edits
from backend.models.detection.engine import Network
from backend.models.detection.inference import BATCH, detect
from backend.models.detection.ultralytics_engine.onnx_network import OnnxNetwork
from tests.fakes.detection_engine import ColourNetwork
from tests.fakes.detection_training_sets import CONTROL, RecordedProgress, fetch, shapes


def found(network: Network, refs: tuple[ImageRef, ...], recorded: RecordedProgress | None = None):
    return detect(network, refs, fetch, CONTROL.labels, 0.05, recorded or RecordedProgress())


@pytest.mark.parametrize("threads", [0, 3])
def test_every_image_gets_its_own_answer_in_order(tmp_path: Path, threads: int):
    seen, truths = shapes(tmp_path, 40, seed=1)
    answers = found(ColourNetwork(threads=threads), seen.refs)
    work = [
        edits(answer, truth, iou=0.8).total for answer, truth in zip(answers, truths, strict=True)
    ]
    assert work == [0] * 40
    assert answers[4] == Regions(())


def test_only_images_of_one_shape_share_a_batch(tmp_path: Path):
    refs: list[ImageRef] = []
    for at in range(50):
        size = [(160, 120), (120, 160), (160, 160)][at % 3]
        Image.new("RGB", size).save(tmp_path / f"{at}.png")
        refs.append(ImageRef(TaskId(at), str(tmp_path / f"{at}.png")))
    network = ColourNetwork()
    assert len(found(network, tuple(refs))) == 50
    assert sorted(shape[0] for shape in network.batches) == [1, 1, BATCH, BATCH, BATCH]
    assert {shape[1:3] for shape in network.batches} == {(128, 160), (160, 128), (160, 160)}


def test_a_network_with_several_callers_gets_single_images(tmp_path: Path):
    seen, _ = shapes(tmp_path, 20, seed=1)
    network, recorded = ColourNetwork(threads=2), RecordedProgress()
    found(network, seen.refs, recorded)
    assert {shape[0] for shape in network.batches} == {1}
    with pytest.raises(Stopped):
        found(network, seen.refs, RecordedProgress(stop_in="finding", after=5))


class CountingSession:
    """A network of ONNX Runtime that finds nothing."""

    runs = 0

    def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.runs += 1
        return [np.zeros((len(inputs["images"]), 6, 1), np.float32)]


def test_all_threads_share_an_image_only_if_it_is_alone(tmp_path: Path):
    seen, _ = shapes(tmp_path, 20, seed=1)
    single, shared = CountingSession(), CountingSession()
    network = OnnxNetwork(single, shared, 2, 160, across_labels=False, exported=b"", checkpoint=b"")
    found(network, seen.refs)
    assert (single.runs, shared.runs) == (20, 0)
    found(network, seen.refs[:1])
    assert (single.runs, shared.runs) == (20, 1)


def test_boxes_land_where_the_shapes_are_whatever_the_exif_orientation(tmp_path: Path):
    upright = np.full((120, 160, 3), 200, np.uint8)
    upright[10:50, 100:150] = (200, 30, 30)
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))  # as a camera on its side
    exif = Image.Exif()
    exif[274] = 6
    turned.save(tmp_path / "a.jpg", exif=exif, quality=95)
    (answer,) = found(ColourNetwork(), (ImageRef(TaskId(1), str(tmp_path / "a.jpg")),))
    (region,) = answer.regions
    box = region.box
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx(
        (100 / 160, 10 / 120, 150 / 160, 50 / 120), abs=0.02
    )


def test_best_boxes_come_first_and_scores_below_one(tmp_path: Path):
    seen, _ = shapes(tmp_path, 10, seed=3)
    for answer in found(ColourNetwork(score=1.0000001), seen.refs):
        scores = [region.score or 0.0 for region in answer.regions]
        assert scores == sorted(scores, reverse=True)
        assert all(score <= 1 for score in scores)


def test_an_image_that_cannot_be_read_says_so(tmp_path: Path):
    seen, _ = shapes(tmp_path, 3, seed=1)
    Path(seen.refs[1].uri).write_bytes(b"no image")
    with pytest.raises(UnreadableImage):
        found(ColourNetwork(), seen.refs)


def test_a_stop_ends_it_before_the_next_batch_and_leaves_no_reader(tmp_path: Path):
    seen, _ = shapes(tmp_path, 3 * BATCH, seed=1)
    network = ColourNetwork()
    before = set(threading.enumerate())
    with pytest.raises(Stopped):
        found(network, seen.refs, RecordedProgress(stop_in="finding", after=1))
    assert len(network.batches) == 1
    assert set(threading.enumerate()) <= before


def test_no_images_are_no_answers():
    assert found(ColourNetwork(), ()) == []
