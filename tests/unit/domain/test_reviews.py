import pytest

from backend.domain.answers import Choices, ImageRef, Prediction, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import TaskId
from backend.domain.reviews import ReviewPart, confidence, corrected, parts

LEFT, RIGHT = Box(0, 0, 0.4, 0.4), Box(0.5, 0, 0.9, 0.4)
ANSWERS = {
    "kind": Choices(("photo",)),
    "things": Regions((Region(LEFT, "cat", 0.9), Region(RIGHT, "dog"), Region(LEFT, "pet"))),
}


def test_the_parts_of_an_answer_are_its_choices_and_its_rectangles_with_all_their_labels():
    assert parts(ANSWERS) == [
        ReviewPart("kind", ("photo",)),
        ReviewPart("things", ("cat", "pet"), LEFT),
        ReviewPart("things", ("dog",), RIGHT),
    ]


def test_images_of_rectangles_have_the_mean_confidence_in_their_labels():
    image = ImageRef(TaskId(1), "1.png")
    boxes = Regions((Region(LEFT, "cat", 0.9), Region(RIGHT, "cat", 0.7), Region(LEFT, "dog", 0.4)))
    assert confidence(Prediction(image, {"things": boxes}, 0.01, "v")) == pytest.approx(0.6)
    for answer in (Choices(("photo",)), Regions(()), Regions((Region(LEFT, "cat"),))):
        assert confidence(Prediction(image, {"kind": answer}, 0.3, "v")) == 0.3


def test_changes_replace_the_labels_of_single_parts():
    assert corrected(ANSWERS, {0: ("drawing",), 2: ("cat",)}) == {
        "kind": Choices(("drawing",)),
        "things": Regions((Region(LEFT, "cat"), Region(LEFT, "pet"), Region(RIGHT, "cat"))),
    }


def test_a_rectangle_left_without_a_label_goes_away():
    assert parts(corrected(ANSWERS, {1: ()})) == [
        ReviewPart("kind", ("photo",)),
        ReviewPart("things", ("dog",), RIGHT),
    ]
