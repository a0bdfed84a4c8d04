"""What a job offers of the predictions that it has just made is what it would read back."""

import json
from typing import Any

import pytest

from backend.domain.answers import Answer, Choices, ImageRef, Prediction, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label, TaskId, VersionName
from backend.label_studio import codec, labeling_config
from backend.services.publishing.offering import offers_of
from tests.fakes.domain import CHOICES

BOXES = (
    '<View><Image name="img" value="$image"/><RectangleLabels name="c" toName="img">'
    '<Label value="cat"/><Label value="dog"/></RectangleLabels></View>'
)
CAT, DOG, LEFT, RIGHT = Label("cat"), Label("dog"), Box(0, 0, 0.3, 1 / 3), Box(0.5, 0, 0.9, 0.7)
REF = ImageRef(TaskId(7), "image 7.png")


def content(config: str, answer: Answer) -> Any:
    prediction = Prediction(
        REF, {ControlName("c"): answer}, 0.7, VersionName("al-0001-aaaa"), (640, 479)
    )
    (made,) = codec.serialized([prediction], labeling_config.parse(config))
    return made.content


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        (CHOICES, Choices((DOG,))),
        (BOXES, Regions(())),
        (BOXES, Regions((Region(LEFT, CAT, 0.9), Region(RIGHT, CAT, 0.1 + 0.2)))),
        (BOXES, Regions((Region(LEFT, DOG, 0.9), Region(LEFT, CAT, 0.4), Region(RIGHT, DOG)))),
    ],
)
def test_serialized_predictions_are_offered_as_they_would_be_once_read_back(
    config: str, answer: Answer
):
    schema, made = labeling_config.parse(config), content(config, answer)
    offers = offers_of({REF: made}, schema)
    assert offers == offers_of({REF: json.loads(json.dumps(made))}, schema)
    (offer,) = offers.values()
    assert (offer.image.task, offer.image.score) == (7, 0.7)
    assert set(offer.image.labels) == set(answer.labels)


def test_nothing_is_offered_where_labels_are_about_several_images():
    config = (
        '<View><Image name="img" value="$image"/><Image name="back" value="$back"/>'
        '<Choices name="c" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices>'
        '<Choices name="d" toName="back"><Choice value="cat"/><Choice value="dog"/></Choices>'
        "</View>"
    )
    made = content(config, Choices((CAT,)))
    assert made["result"]
    assert offers_of({REF: made}, labeling_config.parse(config)) == {}
