from pathlib import Path

import pytest
from PIL import Image

from backend.demo.box_datasets import read
from backend.domain.answers import Region, Regions
from backend.domain.errors import BadInput
from backend.domain.geometry import Box
from backend.domain.ids import Label

OBJECT = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    "</bndbox></object>"
)
CAT = Label("cat")


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10)).save(path)
    return path


def voc(path: Path, *objects: tuple[object, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = "".join(OBJECT.format(*item) for item in objects)
    size = "<size><width>100</width><height>50</height></size>"
    path.write_text(f"<annotation>{size}{inner}</annotation>")


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_pascal_voc_corners_become_fractions(tmp_path: Path):
    path = image(tmp_path / "JPEGImages" / "a.jpg")
    voc(tmp_path / "Annotations" / "a.xml", ("cat", 10, 10, 60, 50))
    data = read(tmp_path)
    assert data.images == ((path, Regions((Region(Box(0.1, 0.2, 0.6, 1.0), CAT),))),)
    assert data.labels == (CAT,)
    assert data.repairs == {}


def test_bad_boxes_are_mended_or_left_out_and_counted(tmp_path: Path):
    image(tmp_path / "a.jpg")
    good = ("cat", 10, 10, 60, 40)
    voc(tmp_path / "a.xml", good, good, ("cat", 5, 5, 5, 30), ("cat", 90, 10, 120, 30))
    data = read(tmp_path)
    assert data.repairs == {"duplicate": 1, "degenerate": 1, "clipped": 1}
    boxes = [region.box for region in data.images[0][1].regions]
    assert boxes == [Box(0.1, 0.2, 0.6, 0.8), Box(0.9, 0.2, 1.0, 0.6)]


@pytest.mark.parametrize(
    "names", [("classes.txt", "dog\ncat\n"), ("data.yaml", "names: [dog, cat]"),
              ("data.yaml", "names:\n  0: dog\n  1: cat\n")],
)  # fmt: skip
def test_yolo_names_come_from_either_file(tmp_path: Path, names: tuple[str, str]):
    path = image(tmp_path / "images" / "train" / "a.jpg")
    text(tmp_path / "labels" / "train" / "a.txt", "1 0.5 0.5 0.2 0.4\n")
    text(tmp_path / names[0], names[1])
    ((found, answer),) = read(tmp_path).images
    assert found == path
    (region,) = answer.regions
    assert region.label == CAT
    assert (region.box.left, region.box.bottom) == pytest.approx((0.4, 0.7))


def test_splits_with_the_same_file_names_are_kept_apart(tmp_path: Path):
    for split, number in (("train", 0), ("val", 1)):
        image(tmp_path / split / "images" / "1.jpg")
        text(tmp_path / split / "labels" / "1.txt", f"{number} 0.5 0.5 0.2 0.2")
    data = read(tmp_path)
    assert [answer.labels for _, answer in data.images] == [("class 0",), ("class 1",)]


def test_an_empty_file_is_a_negative_and_no_file_is_no_answer(tmp_path: Path):
    for name in ("a", "b", "c"):
        image(tmp_path / f"{name}.jpg")
    text(tmp_path / "a.txt", "0 0.5 0.5 0.2 0.2")
    text(tmp_path / "b.txt", "")
    answers = [answer for _, answer in read(tmp_path).images]
    assert [len(answer.regions) for answer in answers] == [1, 0]


def test_a_folder_without_boxes_says_what_was_expected(tmp_path: Path):
    image(tmp_path / "a.jpg")
    with pytest.raises(BadInput, match=r"Pascal VOC .xml or YOLO .txt"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xml", "<annotation>"),
        ("a.xml", "<annotation><object><name>cat</name></object></annotation>"),
        ("a.txt", "0 0.5 0.5 0.1"),
        ("a.txt", "cat 0.5 0.5 0.1 0.1"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, name: str, content: str):
    image(tmp_path / "a.jpg")
    text(tmp_path / name, content)
    with pytest.raises(BadInput, match=name):
        read(tmp_path)


def test_a_voc_file_cannot_reach_beyond_itself(tmp_path: Path):
    image(tmp_path / "a.jpg")
    bomb = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><annotation>&b;</annotation>'
    text(tmp_path / "a.xml", bomb)
    with pytest.raises(BadInput):
        read(tmp_path)


BCCD = Path(__file__).parents[4] / "shared" / "data" / "bccd"


@pytest.mark.skipif(not BCCD.is_dir(), reason="the shared test images are not here")
def test_the_two_degenerate_boxes_of_bccd_are_left_out():
    data = read(BCCD)
    assert len(data.images) == 364
    assert sum(len(answer.regions) for _, answer in data.images) == 4886
    assert data.repairs == {"degenerate": 2}
