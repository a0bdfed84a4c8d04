"""/predict from stored and computed predictions."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.answers import Choices, Region, Regions
from backend.domain.audits import OpenAudit
from backend.domain.batches import PredictionBatch
from backend.domain.errors import UnreadableImage
from backend.domain.geometry import Box
from backend.domain.ids import AuditId, ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.schema import TaskKind
from backend.domain.version_names import control_folder
from backend.label_studio import codec, labeling_config
from backend.label_studio.inline_images import without_content
from backend.services.predict import BATCH
from backend.settings import Settings
from tests.fakes.domain import CHOICES, a_version
from tests.fakes.world import World

PROJECT = ProjectId(1)
BOXES = (
    '<View><Image name="img" value="$image"/><RectangleLabels name="c" toName="img">'
    '<Label value="cat"/><Label value="dog"/></RectangleLabels></View>'
)


class Clock:
    """Advances by `step` at each look."""

    def __init__(self, step=0.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def raw_task(number, uri=None):
    return {"id": number, "data": {"image": uri or f"/data/upload/{number}.png"}}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def predictor(world, seconds=10.0, clock=None):
    """/predict, and a list that grows with each opening of the model families."""
    opened = []

    def families(device):
        opened.append(device)
        return world.families

    settings = Settings(predict_seconds=seconds)
    parts = {"settings": settings, "families": families, "clock": clock or Clock()}
    return world.use_cases(**parts).predict, opened


def test_without_a_model_every_task_gets_an_empty_element(world):
    predict, _ = predictor(world)
    assert predict(PROJECT, CHOICES, [raw_task(1), raw_task(2)]) == [[], []]


def test_stored_predictions_are_answered_without_loading_a_model(world):
    version = world.run()["version"]
    predict, opened = predictor(world)
    results = predict(PROJECT, CHOICES, [raw_task(14), raw_task(13)])
    assert [result["result"][0]["value"]["choices"] for result in results] == [["cat"], ["dog"]]
    assert {result["model_version"] for result in results} == {version}
    assert opened == []


def test_an_image_in_the_task_itself_is_known_by_its_short_address(world):
    """A job lists it without its content; Label Studio asks with it."""
    version = world.run()["version"]
    task = raw_task(99, "data:image/png;base64," + "A" * 20_000)
    ref = without_content(codec.image_ref(task, labeling_config.parse(CHOICES)), PROJECT)
    of_another = codec.image_ref(raw_task(14), labeling_config.parse(CHOICES))
    stored = world.stored.get(PROJECT, version, [of_another])
    world.stored.put(PROJECT, version, {ref: stored[of_another]})
    predict, opened = predictor(world)
    assert predict(PROJECT, CHOICES, [task])[0]["model_version"] == version
    assert opened == []


def test_an_image_of_the_audit_sample_gets_no_prediction_on_request(world):
    world.run()
    opened = OpenAudit(AuditId(1), VersionName("al-0001-aaaa"), frozenset({13, 101}))
    world.ledgers.change(PROJECT, lambda ledger: replace(ledger, open_audit=opened))
    predict, _ = predictor(world)
    results = predict(PROJECT, CHOICES, [raw_task(13), raw_task(14), raw_task(101)])
    assert [bool(result) for result in results] == [False, True, False]


def test_what_is_not_stored_is_computed_once_and_in_its_place(world):
    world.run()
    predict, opened = predictor(world)
    tasks = [raw_task(101), raw_task(14), raw_task(102), raw_task(101)]
    results = predict(PROJECT, CHOICES, tasks)
    said = [result["result"][0]["value"]["choices"][0] for result in results]
    assert said == ["dog", "cat", "cat", "dog"]
    predict(PROJECT, CHOICES, tasks)
    assert opened == ["cpu"]


def test_a_task_whose_image_changed_is_predicted_anew(world):
    world.run()
    predict, opened = predictor(world)
    predict(PROJECT, CHOICES, [raw_task(14, uri="/data/upload/other.png")])
    assert opened == ["cpu"]


def test_an_unreadable_image_gets_an_empty_element_and_shifts_nothing(world):
    world.run()
    world.extractor.bad = {TaskId(102): "404"}
    predict, _ = predictor(world)
    results = predict(PROJECT, CHOICES, [raw_task(101), raw_task(102), raw_task(103)])
    assert [bool(result) for result in results] == [True, False, True]


class OneCat:
    """Finds one cat in each image, unless it cannot be decoded."""

    def __init__(self, damaged):
        self.damaged = damaged

    def predict(self, images, fetch, progress):
        if lost := set(images.tasks) & self.damaged.keys():
            raise UnreadableImage(self.damaged[lost.pop()])
        found = Regions((Region(Box(0.25, 0.25, 0.5, 0.5), Label("cat"), 0.9),))
        count = len(images)
        return PredictionBatch(
            (found,) * count, np.full(count, 0.9), np.tile([0.9, 0.0], (count, 1))
        )


class Rectangles:
    """The family of rectangles, and a version of them that is the current one."""

    def __init__(self, world):
        self.world, control = world, ControlName("c")
        world.families = {**world.families, TaskKind.DETECTION: self}
        card = a_version(project=1, kinds={control: TaskKind.DETECTION})
        made = world.versions.publish(
            PROJECT,
            lambda name: replace(card, name=name),
            lambda folder: control_folder(folder, control).mkdir(),
        )
        world.versions.activate(PROJECT, made.name)

    def load(self, folder, control):
        return OneCat(self.world.extractor.damaged)

    def predict(self, *tasks):
        return predictor(self.world)[0](PROJECT, BOXES, [raw_task(task) for task in tasks])


class TestRectangles:
    def test_they_are_found_in_images_that_are_not_embedded(self, world):
        results = Rectangles(world).predict(101, 102)
        assert [one["result"][0]["value"]["rectanglelabels"] for one in results] == [["cat"]] * 2
        assert results[0]["result"][0]["original_width"] == 64
        assert results[0]["result"][0]["original_height"] == 48
        assert world.extractor.extracted == []

    def test_choices_need_features(self, world):
        world.run()
        world.extractor.extracted.clear()
        predictor(world)[0](PROJECT, CHOICES, [raw_task(101)])
        assert world.extractor.extracted

    def test_an_image_that_turns_out_to_be_damaged_costs_only_itself(self, world):
        rectangles = Rectangles(world)
        world.extractor.damaged[TaskId(102)] = "the file is damaged"
        assert [bool(one) for one in rectangles.predict(101, 102, 103)] == [True, False, True]


def test_what_does_not_fit_into_the_time_is_left_for_later(world):
    world.run()
    predict, _ = predictor(world, seconds=10, clock=Clock(step=6))
    tasks = [raw_task(number) for number in range(200, 200 + 2 * BATCH)]
    results = predict(PROJECT, CHOICES, tasks)
    assert len(results) == len(tasks)
    assert all(results[:BATCH])
    assert not any(results[BATCH:])


def test_a_version_that_does_not_fit_the_config_predicts_nothing(world):
    world.run()
    predict, _ = predictor(world)
    other = CHOICES.replace('"dog"', '"wolf"')
    assert predict(PROJECT, other, [raw_task(101)]) == [[]]


@pytest.mark.parametrize(
    "config",
    [CHOICES.replace('"dog"', '"wolf"'), CHOICES.replace('"c"', '"kind"'), BOXES],
)
def test_a_stored_prediction_that_the_config_does_not_ask_for_any_more_is_not_served(world, config):
    world.run()
    predict, _ = predictor(world)
    assert all(predict(PROJECT, CHOICES, [raw_task(13)]))
    assert predict(PROJECT, config, [raw_task(13)]) == [[]]


def test_a_stored_prediction_is_served_while_all_that_it_names_is_in_the_config(world):
    world.run()
    predict, opened = predictor(world)
    changed = CHOICES.replace('"dog"', '"wolf"')
    assert predict(PROJECT, changed, [raw_task(14)]) == predict(PROJECT, CHOICES, [raw_task(14)])
    assert opened == []


def test_a_stored_prediction_of_an_image_that_has_another_name_now_is_made_anew(world):
    world.run()
    predict, opened = predictor(world)
    renamed = CHOICES.replace('"img"', '"picture"')
    (said,) = predict(PROJECT, renamed, [raw_task(14)])
    assert [part["to_name"] for part in said["result"]] == ["picture"]
    assert opened == ["cpu"]


def test_the_score_of_two_controls_is_the_product_of_their_confidences(world):
    both = CHOICES.replace(
        "</View>",
        '<Choices name="d" toName="img"><Choice value="day"/><Choice value="night"/></Choices>'
        "</View>",
    )
    world.label_studio.label_config = both
    world.label_studio.people = {
        task: answers and {**answers, "d": Choices(("day" if task % 3 else "night",))}
        for task, answers in world.label_studio.people.items()
    }
    world.label_studio.people |= {
        TaskId(task): {"c": Choices((world.truth(task),)), "d": Choices(("night",))}
        for task in (60, 63)
    }
    world.run()
    predict, _ = predictor(world)
    (result,) = predict(PROJECT, both, [raw_task(101)])
    assert result["score"] == pytest.approx(0.99**2, abs=1e-6)
    assert [part["from_name"] for part in result["result"]] == ["c", "d"]


@pytest.mark.parametrize("number", [None, "x", True, 1.5, -1, 2**63])
def test_a_task_with_an_impossible_id_costs_only_its_own_prediction(world, number):
    world.run()
    predict, _ = predictor(world)
    results = predict(PROJECT, CHOICES, [raw_task(number, "/a.png"), raw_task(14), {"data": []}])
    assert [bool(result) for result in results] == [False, True, False]


@pytest.mark.parametrize("data", [None, [1], "x", 7])
def test_task_data_of_another_shape_has_no_image(world, data):
    world.run()
    predict, _ = predictor(world)
    assert len(predict(PROJECT, CHOICES, [{"id": 101, "data": data}])) == 1


def test_a_version_goes_on_predicting_after_a_label_was_added(world):
    version = world.run()["version"]
    more = CHOICES.replace("</Choices>", '<Choice value="fox"/></Choices>')
    world.label_studio.label_config = more
    world.label_studio.people[TaskId(101)] = None
    predict, opened = predictor(world)
    (result,) = predict(PROJECT, more, [raw_task(101)])
    assert result["result"][0]["value"]["choices"] == ["dog"]
    assert len(opened) == 1
    warnings = world.readiness().status(PROJECT).warnings
    assert any(f"{version} was trained without 'fox'" in line for line in warnings)
