"""What the demo tries: folders of people's own images, with a truth about enough of each label."""

from pathlib import Path

import pytest
from PIL import Image

from backend.demo import trial
from backend.demo.images import DemoSet, Sample, box_folder, to_annotate, without_rare_labels
from backend.domain.answers import Choices, Region, Regions
from backend.domain.errors import BadInput
from backend.domain.geometry import Box
from backend.domain.ids import Label
from backend.domain.schema import TaskKind
from backend.label_studio import labeling_config

CAT, DOG, OWL = Label("cat"), Label("dog"), Label("owl")
BOX = Box(0.25, 0.25, 0.75, 0.75)
VOC = (
    "<annotation><size><width>40</width><height>20</height></size><object><name>{}</name><bndbox>"
    "<xmin>10</xmin><ymin>5</ymin><xmax>30</xmax><ymax>15</ymax></bndbox></object></annotation>"
)


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20)).save(path)
    return path


def boxes(*counts: tuple[Label, int]) -> DemoSet:
    samples = [
        Sample(Path(f"{label}-{number}.png"), Regions((Region(BOX, label),)))
        for label, count in counts
        for number in range(count)
    ]
    return DemoSet("animals", TaskKind.DETECTION, tuple(label for label, _ in counts), samples)


def test_a_folder_of_pascal_voc_is_a_set_of_rectangles(tmp_path: Path):
    paths = [image(tmp_path / f"{name}.png") for name in ("a", "b")]
    for path, label in zip(paths, (CAT, DOG), strict=True):
        path.with_suffix(".xml").write_text(VOC.format(label))
    found = box_folder(tmp_path)
    assert (found.kind, found.labels, found.name) == (TaskKind.DETECTION, (CAT, DOG), tmp_path.name)
    assert found.samples == [
        Sample(path, Regions((Region(BOX, label),)))
        for path, label in zip(paths, (CAT, DOG), strict=True)
    ]


def test_a_folder_of_yolo_is_a_set_of_rectangles(tmp_path: Path):
    path = image(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    found = box_folder(tmp_path)
    assert found.samples == [Sample(path, Regions((Region(BOX, CAT),)))]
    (control,) = labeling_config.parse(found.label_config()).controls
    assert (control.kind, control.labels) == (TaskKind.DETECTION, (CAT,))


def test_images_that_label_studio_refuses_are_left_out(tmp_path: Path):
    for name in ("a.png", "b.tif"):
        image(tmp_path / name).with_suffix(".xml").write_text(VOC.format(CAT))
    assert [sample.path.name for sample in box_folder(tmp_path).samples] == ["a.png"]


def test_rectangles_of_rare_labels_are_left_out_but_not_their_images():
    kept = without_rare_labels(boxes((CAT, 10), (DOG, 12), (OWL, 9)), least=10)
    assert kept.labels == (CAT, DOG)
    assert len(kept.samples) == 31
    assert [sample.truth for sample in kept.samples[-9:]] == [Regions(())] * 9


def test_images_of_rare_classes_are_left_out():
    samples = [Sample(Path("x.png"), Choices((label,))) for label in [CAT] * 9 + [DOG, OWL] * 10]
    kept = without_rare_labels(
        DemoSet("animals", TaskKind.SINGLE, (CAT, DOG, OWL), samples), least=10
    )
    assert kept.labels == (DOG, OWL)
    assert len(kept.samples) == 20


def test_a_set_with_one_common_label_is_refused_in_words():
    with pytest.raises(BadInput, match="1 labels on 10 images or more"):
        without_rare_labels(boxes((CAT, 30), (DOG, 9)), least=10)


def test_half_of_a_rare_label_s_images_are_annotated_and_the_others_left_to_predict():
    images = boxes((CAT, 10), (DOG, 100))
    chosen = to_annotate(images, per_class=20)
    labels = [images.samples[position].truth.labels[0] for position in chosen]
    assert (labels.count(CAT), labels.count(DOG)) == (5, 20)
    assert len(set(chosen)) == len(chosen)


def test_the_demo_needs_a_folder_for_rectangles():
    with pytest.raises(BadInput, match="--images"):
        trial.Plan(None, TaskKind.DETECTION, 10, keep=False, label_studio=None)
