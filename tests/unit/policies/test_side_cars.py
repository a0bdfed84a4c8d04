"""Label files are read whole or not at all, and written as they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.answers import Choices, Region, Regions
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label
from backend.label_studio import labeling_config
from backend.policies import side_cars
from backend.policies.side_cars import read_labels, read_voc, read_yolo

SINGLE = labeling_config.parse(
    '<View><Image name="i" value="$image"/><Choices name="kind" toName="i">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
MULTI = labeling_config.parse(
    '<View><Image name="i" value="$image"/><Choices name="kind" toName="i" choice="multiple">'
    '<Choice value="cat"/><Choice value="dog"/></Choices>'
    '<Choices name="place" toName="i"><Choice value="in"/><Choice value="dog"/></Choices></View>'
)
BOXES = labeling_config.parse(
    '<View><Image name="i" value="$image"/><RectangleLabels name="box" toName="i">'
    '<Label value="car"/><Label value="bus" predicted_values="coach"/></RectangleLabels></View>'
)
KIND, BOX = ControlName("kind"), ControlName("box")
CAR, BUS = Label("car"), Label("bus")

VOC = """<?xml version="1.0"?>
<annotation><size><width>200</width><height>100</height><depth>3</depth></size>
<object><name> car </name><bndbox><xmin>{}</xmin><ymin>11</ymin><xmax>100</xmax><ymax>50</ymax>
</bndbox></object></annotation>"""


class TestLabelsOfTheWholeImage:
    def test_one_label_a_line_whatever_the_line_ends_and_the_byte_order_mark(self):
        assert read_labels("\ufeffcat\r\n\r\n", SINGLE).answers == {KIND: Choices((Label("cat"),))}

    def test_an_empty_file_answers_nothing(self):
        assert read_labels("\n \n", SINGLE).answers == {}

    def test_an_unknown_label_makes_the_whole_file_count_for_nothing(self):
        found = read_labels("cat\nlion\n", MULTI)
        assert found.answers == {}
        assert found.problem == "no question has the label 'lion'"

    def test_a_label_of_two_questions_has_no_place(self):
        assert read_labels("dog", MULTI).problem == "several questions have the label 'dog'"

    def test_two_labels_are_refused_where_one_is_allowed(self):
        assert read_labels("cat\ndog", SINGLE).problem == "2 labels where one is allowed"
        assert read_labels("cat\ncat", SINGLE).answers == {KIND: Choices((Label("cat"),))}

    def test_what_is_written_is_read_again(self):
        answers = {KIND: Choices((Label("cat"),)), ControlName("place"): Choices((Label("in"),))}
        assert read_labels(side_cars.write_labels(answers), MULTI).answers == answers


class TestYolo:
    def test_a_line_is_class_center_and_size_in_fractions(self):
        found = read_yolo("1 0.5 0.5 0.5 1.0\n", ["car", "bus"], BOXES)
        assert found.answers == {BOX: Regions((Region(Box(0.25, 0, 0.75, 1), BUS),))}

    def test_a_name_of_a_pretrained_model_stands_for_its_label(self):
        (region,) = read_yolo("0 .5 .5 .5 .5", ["coach"], BOXES).answers[BOX].regions
        assert region.label == BUS

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("7 0.5 0.5 0.1 0.1", "class 7 is not in classes.txt"),
            ("0 0.5 0.5 -- 0.1", "'0 0.5 0.5 -- 0.1' is no rectangle"),
            ("0 5 5 0.1 0.1", "a rectangle of 'car' has no area inside the image"),
            ("1 0.5 0.5 0.1 0.1", "no question has the label 'tram'"),
        ],
    )
    def test_a_line_without_a_place_makes_the_file_count_for_nothing(self, text, problem):
        found = read_yolo(f"0 0.5 0.5 0.1 0.1\n{text}", ["car", "tram"], BOXES)
        assert (found.answers, found.problem) == ({}, problem)

    def test_it_needs_one_question_with_rectangles(self):
        assert read_yolo("0 .5 .5 .5 .5", ["car"], SINGLE).problem.startswith("the labeling config")
        assert read_yolo("", ["car"], SINGLE).answers == {}

    def test_five_numbers_in_every_line_are_its_mark(self):
        assert side_cars.is_yolo("0 0.5 0.5 0.1 0.1\n2 1 1 1 1e-3")
        assert not side_cars.is_yolo("0 0.5 0.5 0.1 0.1\ncat")
        assert not side_cars.is_yolo("")
        assert not side_cars.is_yolo(f"{'9' * 5000} 0.5 0.5 0.1 0.1")


class TestPascalVoc:
    def test_corners_are_pixels_counted_from_one(self):
        found = read_voc(VOC.format(21), BOXES)
        assert found.answers == {BOX: Regions((Region(Box(0.1, 0.1, 0.5, 0.5), CAR),))}
        assert found.size == (200, 100)

    def test_a_file_without_objects_says_that_nothing_is_there(self):
        text = "<annotation><size><width>2</width><height>2</height></size></annotation>"
        assert read_voc(text, BOXES).answers == {BOX: Regions(())}
        assert read_voc(text, SINGLE).answers == {}

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("<annotation>", "no XML that can be read"),
            ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "no XML that can be read"),
            ("<annotation/>", "it does not tell the size of the image"),
            (VOC.format(1).replace(">200<", ">1e999<"), "it does not tell the size of the image"),
            (VOC.format("nan"), "a rectangle of 'car' has no area inside the image"),
            (VOC.format("wide"), "a rectangle of 'car' has no area inside the image"),
            (VOC.format(1).replace("car", "tram"), "no question has the label 'tram'"),
        ],
    )
    def test_a_file_that_is_not_understood_says_why(self, text, problem):
        assert read_voc(text, BOXES).problem == problem


SIDES = st.tuples(st.integers(0, 99), st.integers(1, 100)).filter(lambda pair: pair[0] < pair[1])
BOX_VALUES = st.builds(
    lambda across, down: Box(across[0] / 100, down[0] / 100, across[1] / 100, down[1] / 100),
    SIDES,
    SIDES,
)
REGIONS = st.lists(st.builds(Region, BOX_VALUES, st.sampled_from([CAR, BUS])), max_size=4)

AT, NEAR, FAR, OTHER = (
    Region(Box(0, 0, 0.5, bottom), label)
    for bottom, label in ((0.5, CAR), (0.50001, CAR), (0.51, CAR), (0.5, BUS))
)


@given(REGIONS)
def test_rectangles_that_are_written_are_read_again(regions):
    size = (1000, 500)
    files = (
        read_yolo(side_cars.write_yolo(regions, ["bus", "car"]), ["bus", "car"], BOXES),
        read_voc(side_cars.write_voc(regions, "a.jpg", size), BOXES),
    )
    for found in files:
        assert not found.problem
        assert found.size in {(0, 0), size}
        again = found.answers[BOX].regions
        assert [one.label for one in again] == [one.label for one in regions]
        for one, other in zip(again, regions, strict=True):
            assert one.box.left == pytest.approx(other.box.left, abs=1e-4)
            assert one.box.bottom == pytest.approx(other.box.bottom, abs=1e-4)


def test_a_label_without_a_class_number_cannot_be_written():
    with pytest.raises(ValueError, match="car"):
        side_cars.write_yolo([Region(Box(0, 0, 1, 1), CAR)], ["bus"])


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        ({KIND: Choices((CAR, BUS))}, {KIND: Choices((BUS, CAR))}, True),
        ({KIND: Choices((CAR,))}, {KIND: Choices((BUS,))}, False),
        ({KIND: Choices((CAR,))}, {}, False),
        ({BOX: Regions((AT,))}, {BOX: Regions((NEAR,))}, True),
        ({BOX: Regions((AT,))}, {BOX: Regions((FAR,))}, False),
        ({BOX: Regions((AT,))}, {BOX: Regions((OTHER,))}, False),
        ({BOX: Regions((AT,))}, {BOX: Regions((AT, AT))}, False),
    ],
)
def test_files_agree_that_say_the_same(one, other, agrees):
    assert side_cars.agree(one, other) is agrees
