"""Predictions of several controls: each of its own image, and only where it shows."""

import numpy as np
import pytest

from backend.domain.answers import Choices, ImageRef
from backend.domain.errors import UnreadableImage
from backend.domain.ids import TaskId, VersionName
from backend.label_studio import labeling_config
from backend.services import task_images
from backend.services.prediction.inference import Predictor
from tests.fakes.models import FakeFeatureExtractor
from tests.fakes.predictions import ScriptedModel
from tests.fakes.steps import quiet

ROAD, NONE, TWO = (Choices((label,)) for label in ("road", "none", "2"))
HIDDEN = labeling_config.parse(
    """<View><Image name="img" value="$image"/>
    <Choices name="type" toName="img"><Choice value="road"/><Choice value="none"/></Choices>
    <View visibleWhen="choice-selected" whenTagName="type" whenChoiceValue="road">
      <Choices name="lanes" toName="img"><Choice value="1"/><Choice value="2"/></Choices>
    </View></View>"""
)
PAIR = labeling_config.parse(
    """<View><Image name="before" value="$one"/><Image name="after" value="$two"/>
    <Choices name="a" toName="before"><Choice value="x"/><Choice value="y"/></Choices>
    <Choices name="b" toName="after"><Choice value="x"/><Choice value="y"/></Choices></View>"""
)
V1 = VersionName("al-0001-aaaa")


class Named(FakeFeatureExtractor):
    """Files are named like the addresses of their images."""

    def fetch(self, ref):
        if ref.uri in self.bad:
            raise UnreadableImage(self.bad[ref.uri])
        return super().fetch(ref).with_name(ref.uri)


def refs(*tasks, others=False):
    return [ImageRef(TaskId(task), f"{task}a", (f"{task}b",) if others else ()) for task in tasks]


def test_a_hidden_question_is_not_predicted_and_does_not_lower_the_score():
    extractor = FakeFeatureExtractor()
    images, _ = task_images.extract(extractor, HIDDEN, refs(1, 2), quiet)
    models = {
        "type": ScriptedModel({1: ROAD, 2: NONE}),
        "lanes": ScriptedModel(otherwise=TWO),
    }

    predicted, _ = Predictor(extractor).predict(HIDDEN, models, images, quiet)

    first, second = (predicted.prediction(row, V1) for row in range(2))
    assert first.answers == {"type": ROAD, "lanes": TWO}
    assert second.answers == {"type": NONE}
    assert (first.score, second.score) == (0.25, 0.5)
    assert predicted.of(HIDDEN.controls[1]).images.tasks == (1,)
    assert predicted.of(HIDDEN.controls[0]).images.tasks == (1, 2)
    assert predicted.without([TaskId(1)]).prediction(0, V1).answers == {"type": NONE}


def test_a_question_that_waits_for_one_without_a_model_is_not_predicted():
    extractor = FakeFeatureExtractor()
    images, _ = task_images.extract(extractor, HIDDEN, refs(1), quiet)
    predicted, _ = Predictor(extractor).predict(HIDDEN, {"lanes": ScriptedModel()}, images, quiet)
    assert predicted.prediction(0, V1).answers == {}


def test_each_control_is_predicted_from_its_own_image():
    extractor = Named()
    images, _ = task_images.extract(extractor, PAIR, refs(1, 2, others=True), quiet)
    models = {"a": ScriptedModel(), "b": ScriptedModel()}

    predicted, _ = Predictor(extractor).predict(PAIR, models, images, quiet)

    assert models["a"].files == ["1a", "2a"]
    assert models["b"].files == ["1b", "2b"]
    assert predicted.prediction(0, V1).size_of("after") == (64, 48)
    assert predicted.of(PAIR.controls[1]).images.refs[1].uri == "2b"


@pytest.mark.parametrize("lost", ["1a", "1b"])
def test_a_task_of_which_one_image_is_lost_costs_only_itself(lost):
    extractor = Named()
    images, _ = task_images.extract(extractor, PAIR, refs(1, 2, others=True), quiet)
    extractor.bad[lost] = "it is gone"
    models = {"a": ScriptedModel(), "b": ScriptedModel()}
    predicted, gone = Predictor(extractor).predict(PAIR, models, images, quiet)
    assert predicted.images.tasks == (2,)
    assert [slot.task for slot in gone] == [1]


def test_a_task_is_complete_only_with_all_of_its_images():
    class Half(FakeFeatureExtractor):
        def extract(self, refs, progress, backbone=""):
            self.bad = {ref.task: "no such file" for ref in refs if ref.uri in {"1b", "3a"}}
            return super().extract(refs, progress, backbone)

    images, lost = task_images.extract(Half(), PAIR, refs(1, 2, 3, others=True), quiet)
    assert images.tasks == images.of("after").tasks == (2,)
    assert sorted(slot.task for slot in lost) == [1, 3]
    assert np.array_equal(images.of("before").features, images.features)
