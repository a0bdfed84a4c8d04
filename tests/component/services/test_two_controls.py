"""A labeling config that asks for a choice and for boxes: each control is learned for itself."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from backend.domain.answers import Choices, Regions
from backend.domain.ids import ControlName, Label, TaskId
from backend.domain.schema import TaskKind
from backend.label_studio import codec, labeling_config
from backend.models.detection.family import DetectorFamily
from backend.models.detection.overlaps import overlaps
from tests.fakes.detection_engine import ColourEngine, ColourNetwork
from tests.fakes.detection_training_sets import shapes
from tests.fakes.models import FakeFeatureExtractor, ParityFamily
from tests.fakes.world import PROJECT, World

BOTH = """<View><Image name="img" value="$image"/>
<Choices name="c" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices>
<RectangleLabels name="b" toName="img"><Label value="square"/><Label value="disc"/>
</RectangleLabels>
</View>"""
KIND, BOXES = ControlName("c"), ControlName("b")


@dataclass
class ShapeExtractor(FakeFeatureExtractor):
    """The images are real ones."""

    files: dict[TaskId, Path] = field(default_factory=dict)

    def fetch(self, ref):
        return self.files[ref.task]


@pytest.fixture
def world(tmp_path):
    drawn, truths = shapes(tmp_path / "images", 40, seed=3)
    files = {ref.task: Path(ref.uri) for ref in drawn.refs}
    world = World(tmp_path, extractor=ShapeExtractor(files=files))
    world.truths = dict(zip(files, truths, strict=True))
    world.label_studio.label_config = BOTH
    for task, answers in world.label_studio.people.items():
        if answers is not None:
            world.label_studio.people[task] = {**answers, BOXES: world.truths[task]}
    families = world.families
    families[TaskKind.SINGLE] = ParityFamily()
    families[TaskKind.DETECTION] = DetectorFamily(ColourEngine([ColourNetwork()]))
    return world


def test_each_control_is_learned_from_its_own_answers_and_predicted(world):
    report = world.run()
    card = world.versions.current(PROJECT)
    assert card.kinds == {KIND: TaskKind.SINGLE, BOXES: TaskKind.DETECTION}
    assert report["task_kind"] == "classification+detection"
    assert "accuracy" in report["metrics"]["c"]
    assert "edits_per_image" in report["metrics"]["b"]
    assert len(world.label_studio.predictions) == 28
    for (task, _), prediction in world.label_studio.predictions.items():
        assert prediction.answers[KIND] == Choices((Label(world.truth(task)),))
        found, truth = prediction.answers[BOXES], world.truths[task]
        assert len(found.regions) == len(truth.regions)
        if truth.regions:
            assert np.all(overlaps(found.regions, truth.regions).max(axis=0) > 0.7)


def test_one_prediction_carries_the_choice_and_the_boxes(world):
    world.run()
    config = labeling_config.parse(BOTH)
    predictions = world.label_studio.predictions.values()
    one = next(one for one in predictions if one.answers[BOXES].regions)
    answers = codec.answers(codec.serialize(one, config)["result"], config)
    assert answers[KIND] == one.answers[KIND]
    assert isinstance(answers[BOXES], Regions)
    assert len(answers[BOXES].regions) == len(one.answers[BOXES].regions)
