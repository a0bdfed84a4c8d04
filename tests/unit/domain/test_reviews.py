from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.reviews import ReviewPart, corrected, parts

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
