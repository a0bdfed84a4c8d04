from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from backend.domain.answers import Choices, ImageRef, Region, Regions
from backend.domain.errors import OutOfSpace, Stopped, UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import Label, TaskId
from backend.models.detection.ultralytics_engine import yolo_dataset
from backend.models.detection.ultralytics_engine.yolo_dataset import label_lines, write
from tests.fakes.detection_training_sets import (
    CONTROL,
    DISC,
    SQUARE,
    RecordedProgress,
    image_batch,
    training_set,
)


def test_a_box_is_a_line_of_label_centre_and_size():
    regions = (Region(Box(0.1, 0.2, 0.3, 0.6), DISC), Region(Box(0, 0, 1, 1), SQUARE))
    assert label_lines(Regions(regions), CONTROL.labels) == [
        "1 0.2000000 0.4000000 0.2000000 0.4000000",
        "0 0.5000000 0.5000000 1.0000000 1.0000000",
    ]


@pytest.mark.parametrize(
    "answer", [Regions(()), Choices((SQUARE,)), Regions((Region(Box(0, 0, 1, 1), Label("gone")),))]
)
def test_nothing_of_this_control_is_an_empty_file(answer: Regions | Choices):
    assert label_lines(answer, CONTROL.labels) == []


def test_every_image_has_its_label_file(tmp_path: Path):
    images = write(training_set(tmp_path, train=6, held_out=4), tmp_path / "yolo")
    assert set(images) == {"train", "val"}
    for split, count in (("train", 6), ("val", 4)):
        stems = {path.stem for path in images[split].iterdir()}
        assert stems == {path.stem for path in (tmp_path / "yolo/labels" / split).iterdir()}
        assert len(stems) == count
    train = (tmp_path / "yolo/labels/train").iterdir()
    assert sum(path.read_text() == "" for path in train) == 1, "the empty image stays, as negative"


def test_without_held_out_images_the_training_images_are_used(tmp_path: Path):
    images = write(training_set(tmp_path, held_out=0), tmp_path / "yolo")
    assert len(list(images["val"].iterdir())) == 10


def test_plain_files_are_linked_and_others_written_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (60, 40)).save(tmp_path / "plain.dat", format="JPEG")
    Image.new("RGB", (60, 40)).save(tmp_path / "turned.png", exif=exif)
    Image.new("RGBA", (60, 40)).save(tmp_path / "clear.png")
    names = ("plain.dat", "turned.png", "clear.png")
    refs = [ImageRef(TaskId(at), str(tmp_path / name)) for at, name in enumerate(names)]
    learned = replace(training_set(tmp_path, train=3, held_out=0), train=image_batch(refs))
    images = write(learned, tmp_path / "yolo")
    plain, turned, clear = sorted(images["train"].iterdir())
    assert plain.samefile(tmp_path / "plain.dat")
    assert plain.suffix == ".jpg"
    assert not turned.samefile(tmp_path / "turned.png")
    assert not clear.samefile(tmp_path / "clear.png")
    with Image.open(turned) as image:
        assert image.size == (40, 60)


def linked(tmp_path: Path, name: str) -> Path:
    ref = ImageRef(TaskId(1), str(tmp_path / name))
    only = replace(training_set(tmp_path, train=1, held_out=0), train=image_batch([ref]))
    (path,) = write(only, tmp_path / "yolo")["train"].iterdir()
    return path


def test_an_image_stays_when_the_cache_evicts_the_original(tmp_path: Path):
    Image.new("RGB", (60, 40)).save(tmp_path / "photo.jpg")
    path = linked(tmp_path, "photo.jpg")
    (tmp_path / "photo.jpg").unlink()
    with Image.open(path) as image:
        assert image.size == (60, 40)


def test_a_jpeg_with_data_after_its_end_is_written_anew_and_never_changed(tmp_path: Path):
    Image.new("RGB", (60, 40)).save(tmp_path / "photo.jpg")
    content = (tmp_path / "photo.jpg").read_bytes() + b"a camera's own data"
    (tmp_path / "photo.jpg").write_bytes(content)
    assert linked(tmp_path, "photo.jpg").suffix == ".png"
    assert (tmp_path / "photo.jpg").read_bytes() == content


def test_an_image_that_is_written_anew_is_no_larger_than_networks_need(tmp_path: Path):
    Image.new("RGBA", (4000, 1000)).save(tmp_path / "large.png")
    ref = ImageRef(TaskId(1), str(tmp_path / "large.png"))
    images = write(
        replace(training_set(tmp_path, train=1), train=image_batch([ref])), tmp_path / "yolo"
    )
    (written,) = images["train"].iterdir()
    with Image.open(written) as image:
        assert image.size == (1280, 320)


def test_progress_is_reported_for_each_image_and_may_stop_the_writing(tmp_path: Path):
    recorded = RecordedProgress()
    write(training_set(tmp_path, train=3, held_out=2, progress=recorded), tmp_path / "yolo")
    assert recorded.reports == [("train: reading images", 0, 1)] * 5
    with pytest.raises(Stopped):
        write(
            training_set(tmp_path, progress=RecordedProgress(stop_in="reading", after=2)),
            tmp_path / "stopped",
        )
    assert len(list((tmp_path / "stopped" / "images" / "train").iterdir())) == 2


def test_an_image_that_is_gone_is_named(tmp_path: Path):
    learned = training_set(tmp_path)
    Path(learned.train.refs[2].uri).unlink()
    with pytest.raises(UnreadableImage, match=r"3\.jpg"):
        write(learned, tmp_path / "yolo")


def test_a_full_disk_is_distinguished_from_other_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    learned = training_set(tmp_path, held_out=0)
    Image.new("RGBA", (60, 40)).save(learned.train.refs[0].uri)
    monkeypatch.setattr(yolo_dataset.cv2, "imwrite", lambda *_: False)
    with pytest.raises(OutOfSpace):
        write(learned, tmp_path / "yolo")
