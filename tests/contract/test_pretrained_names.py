"""What a checkpoint already knows is kept under the project's own name for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from backend.demo.box_datasets import read
from backend.domain.answers import ImageRef, Region, Regions
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import Control, TaskKind
from backend.models.detection.family import DetectorFamily
from backend.models.detection.ultralytics_engine.detector import UltralyticsEngine
from tests.fakes.detection_training_sets import image_batch, training_set

SHARED = Path(__file__).parents[3] / "shared"
YOLO = SHARED / "weights" / "yolo11n.pt"
COCO = SHARED / "data" / "coco256"
HUMAN = Label("human")

pytestmark = [
    pytest.mark.skipif(not (YOLO.is_file() and COCO.is_dir()), reason="shared data is not here"),
]


@pytest.mark.parametrize(("outside", "knows"), [({"person": HUMAN}, True), ({}, False)])
def test_predicted_values_map_a_known_class_to_a_label(
    tmp_path: Path, outside: dict[str, Label], knows: bool
):
    # given photos of people, called "human" in this project
    people = [
        (path, Regions(tuple(Region(box.box, HUMAN) for box in found)))
        for path, answer in read(COCO).images
        if (found := [box for box in answer.regions if box.label == "person"])
    ][:14]
    refs = [ImageRef(TaskId(at), str(path)) for at, (path, _) in enumerate(people)]
    truths = [truth for _, truth in people]
    asked = replace(
        training_set(tmp_path, train=0, held_out=0),
        control=Control(ControlName("box"), "image", TaskKind.DETECTION, (HUMAN,), outside),
        train=image_batch(refs[:4]),
        train_answers=truths[:4],
        held_out=image_batch(refs[4:]),
        held_out_answers=truths[4:],
    )
    # when there is time for next to no training
    family = DetectorFamily(UltralyticsEngine(str(YOLO), tmp_path), image_size=320, epochs=1)
    model = family.fit(asked)
    # then
    assert (model.metrics["map50"] > 0.15) == knows, model.metrics["map50"]
