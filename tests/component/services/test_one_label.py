"""A detection project with a single label: is it there, and where."""

from pathlib import Path

import pytest

from backend.domain.answers import Regions
from backend.domain.ids import ControlName, Label
from backend.domain.jobs import Mode
from backend.domain.schema import TaskKind
from backend.models.detection.family import DetectorFamily
from backend.settings import Settings
from tests.component.services.test_two_controls import ShapeExtractor
from tests.fakes.detection_engine import ColourEngine, ColourNetwork
from tests.fakes.detection_training_sets import shapes
from tests.fakes.world import PROJECT, World

ONE = """<View><Image name="img" value="$image"/>
<RectangleLabels name="b" toName="img"><Label value="square"/></RectangleLabels></View>"""
BOXES = ControlName("b")
SQUARE = Label("square")


@pytest.fixture
def world(tmp_path: Path):
    drawn, truths = shapes(tmp_path / "images", 40, seed=3)
    files = {ref.task: Path(ref.uri) for ref in drawn.refs}
    world = World(tmp_path, extractor=ShapeExtractor(files=files))
    squares = {task: _squares(truth) for task, truth in zip(files, truths, strict=True)}
    world.label_studio.label_config = ONE
    for task, answers in world.label_studio.people.items():
        if answers is not None:
            world.label_studio.people[task] = {BOXES: squares[task]}
    world.families[TaskKind.DETECTION] = DetectorFamily(
        ColourEngine([ColourNetwork(blind_to=frozenset({1}))])
    )
    return world


def _squares(truth: Regions) -> Regions:
    return Regions(tuple(one for one in truth.regions if one.label == SQUARE))


def test_rectangles_of_one_label_train_where_the_setting_allows_it(world, tmp_path):
    (reason,) = world.readiness().status(PROJECT).reasons
    assert "AUTOLABEL_MIN_LABELS=1" in reason.hint
    assert world.readiness(min_labels=1).status(PROJECT).ready
    settings = Settings(data_dir=tmp_path, augmented_images=0, min_labels=1)
    jobs = world.use_cases(settings=settings).jobs()
    report = world.report(jobs[Mode.ACTIVE_LEARNING], world.job())
    assert report["predicted"] == 28
    labels = {
        region.label
        for prediction in world.label_studio.predictions.values()
        for region in prediction.answers[BOXES].regions
    }
    assert labels == {SQUARE}
