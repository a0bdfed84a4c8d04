"""What an annotation answers, and what it does not: only an empty one says "nothing there"."""

import pytest

from backend.domain.answers import Choices, Gap, ImageRef, Prediction, Region, Regions, Unanswered
from backend.domain.geometry import Box
from backend.domain.ids import ControlName, Label
from backend.label_studio import codec, labeling_config
from backend.label_studio.results import read

IMAGE = '<Image name="img" value="$image"/>'
BOXES = labeling_config.parse(
    f"<View>{IMAGE}"
    '<RectangleLabels name="bbox" toName="img"><Label value="car"/><Label value="bus"/>'
    "</RectangleLabels></View>"
)
QUALITY = (
    '<Choices name="quality" toName="img"{}><Choice value="good"/><Choice value="bad"/></Choices>'
)
JUDGED = (
    f"<View>{IMAGE}{QUALITY}"
    '<RectangleLabels name="find" toName="img"><Label value="van"/><Label value="bike"/>'
    "</RectangleLabels></View>"
)
NESTED_QUESTIONS = labeling_config.parse(
    f"""<View>{IMAGE}
    <Choices name="type" toName="img"><Choice value="road"/><Choice value="none"/></Choices>
    <View visibleWhen="choice-selected" whenTagName="type" whenChoiceValue="road">
      <Choices name="lanes" toName="img"><Choice value="1"/><Choice value="2"/></Choices>
      <Choices name="damage" toName="img" choice="multiple">
        <Choice value="crack"/><Choice value="hole"/></Choices>
    </View></View>"""
)
PATHS = labeling_config.parse(
    f"""<View>{IMAGE}<Choices name="kind" toName="img" choice="multiple" allowNested="true">
    <Choice value="animal"><Choice value="cat"/><Choice value="dog"/></Choice>
    <Choice value="plant" alias="p"/></Choices></View>"""
)
PAIRS = labeling_config.parse(
    f"""<View>{IMAGE}<Rectangle name="r" toName="img"/>
    <Labels name="l" toName="img"><Label value="price"/><Label value="date"/></Labels></View>"""
)
GROUPED = labeling_config.parse(
    f"""<View>{IMAGE}
    <RectangleLabels name="tools" toName="img"><Label value="helmet"/></RectangleLabels>
    <RectangleLabels name="people" toName="img"><Label value="worker"/></RectangleLabels></View>"""
)


def box(name="bbox", labels=("car",), **more):
    place = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    value = place if labels is None else {**place, "rectanglelabels": list(labels)}
    return {"from_name": name, "to_name": "img", "type": "rectanglelabels", "value": value, **more}


def choice(name, *chosen):
    value = {"choices": list(chosen)}
    return {"from_name": name, "to_name": "img", "type": "choices", "value": value}


@pytest.mark.parametrize(
    ("results", "gap", "names"),
    [
        ([box(labels=("Car",))], Gap.UNKNOWN_LABEL, ("Car",)),
        ([box(), box(labels=("Car", "tram"))], Gap.UNKNOWN_LABEL, ("Car", "tram")),
        ([box(labels=None)], Gap.NO_LABEL, ()),
        ([box(), box(labels=())], Gap.NO_LABEL, ()),
        ([box("yolo_boxes")], Gap.UNKNOWN_CONTROL, ("yolo_boxes",)),
        ([box(), box("yolo_boxes")], Gap.UNKNOWN_CONTROL, ("yolo_boxes",)),
        ([box(to_name="other")], Gap.OTHER_IMAGE, ()),
        ([box(item_index=1)], Gap.OTHER_IMAGE, ()),
        ([box(value={"rectanglelabels": ["car"]})], Gap.NO_AREA, ()),
    ],
)
def test_a_region_that_cannot_be_placed_leaves_the_image_unanswered(results, gap, names):
    found = read(results, BOXES)
    assert found.answers == {}
    assert found.unanswered == {"bbox": Unanswered(gap, names)}


def test_only_an_empty_annotation_says_that_nothing_is_there():
    assert read([], BOXES).answers == {"bbox": Regions(())}


def test_an_image_that_was_only_judged_says_nothing_about_boxes():
    judged = labeling_config.parse(JUDGED.format(""))
    found = read([choice("quality", "bad")], judged)
    assert found.answers == {"quality": Choices(("bad",))}
    assert found.unanswered == {"find": Unanswered(Gap.OTHER_QUESTIONS, ("quality",))}


def test_where_the_judgement_is_required_nobody_could_have_submitted_less():
    obliged = labeling_config.parse(JUDGED.format(' required="true"'))
    assert read([choice("quality", "bad")], obliged).answers["find"] == Regions(())


def test_a_required_question_is_never_answered_by_nothing():
    needed = labeling_config.parse(
        f"<View>{IMAGE}"
        '<RectangleLabels name="b" toName="img" required="true"><Label value="x"/>'
        "</RectangleLabels></View>"
    )
    assert read([], needed).unanswered == {"b": Unanswered(Gap.NOT_ASKED)}


def test_a_hidden_question_is_not_answered():
    found = read([choice("type", "none")], NESTED_QUESTIONS)
    assert found.answers == {"type": Choices(("none",))}
    assert {one.gap for one in found.unanswered.values()} == {Gap.NOT_ASKED}


def test_a_shown_question_is_answered_by_what_was_chosen_even_nothing():
    found = read([choice("type", "road"), choice("lanes", "2")], NESTED_QUESTIONS)
    assert found.answers == {
        "type": Choices(("road",)),
        "lanes": Choices(("2",)),
        "damage": Choices(()),
    }


def test_an_answer_to_a_hidden_question_does_not_count():
    found = read([choice("type", "none"), choice("lanes", "2")], NESTED_QUESTIONS)
    assert found.answers == {"type": Choices(("none",))}
    assert found.unanswered["lanes"] == Unanswered(Gap.HIDDEN_ANSWERS)


def test_an_unknown_choice_is_never_none_of_them():
    many = labeling_config.parse(
        f'<View>{IMAGE}<Choices name="c" toName="img" choice="multiple"><Choice value="a"/>'
        '<Choice value="b"/></Choices></View>'
    )
    assert read([choice("c", "A")], many).unanswered["c"] == Unanswered(Gap.UNKNOWN_LABEL, ("A",))
    assert read([choice("c")], many).unanswered["c"] == Unanswered(Gap.NO_LABEL)
    renamed = read([choice("old_name", "a")], many)
    assert renamed.unanswered["c"] == Unanswered(Gap.UNKNOWN_CONTROL, ("old_name",))


@pytest.mark.parametrize(
    "results",
    [[choice("quality", "bad", "good")], [choice("quality", "good"), choice("quality", "bad")]],
    ids=["in one result", "in two results"],
)
def test_two_answers_to_a_question_that_allows_one_are_unclear(results):
    found = read(results, labeling_config.parse(JUDGED.format("")))
    assert found.unanswered["quality"] == Unanswered(Gap.SEVERAL_LABELS, ("good + bad",))


def test_the_same_answer_twice_is_one_answer():
    found = read([choice("quality", "bad", "bad")], labeling_config.parse(JUDGED.format("")))
    assert found.answers["quality"] == Choices(("bad",))


def test_nested_choices_are_read_by_path():
    cat, plant = Label("animal > cat"), Label("p")
    chosen = [["animal", "cat"], ["p"]]
    assert read([choice("kind", *chosen)], PATHS).answers == {"kind": Choices((cat, plant))}
    whole = [["animal"], ["animal", "cat"], ["animal", "dog"]]
    assert len(read([choice("kind", *whole)], PATHS).answers["kind"].labels) == 2
    for foreign in (["animal"], ["cat"], ["animal", "horse"]):
        found = read([choice("kind", foreign)], PATHS).unanswered["kind"]
        assert found == Unanswered(Gap.UNKNOWN_LABEL, (" > ".join(foreign),))


def test_a_rectangle_and_its_labels_are_two_results_of_one_id():
    place = {"x": 10, "y": 20, "width": 30, "height": 40}
    shape = {"id": "x", "from_name": "r", "to_name": "img", "type": "rectangle", "value": place}
    named = {**shape, "from_name": "l", "type": "labels", "value": {**place, "labels": ["price"]}}
    expected = Regions((Region(Box(0.1, 0.2, 0.4, 0.6), Label("price")),))
    answers = read([shape, named], PAIRS).answers
    assert answers["l"].labels == ("price",)
    assert answers["l"].regions[0].box.right == pytest.approx(expected.regions[0].box.right)
    assert read([shape], PAIRS).unanswered["l"] == Unanswered(Gap.NO_LABEL)


@pytest.mark.parametrize(
    "place", [{"radiusX": 3, "radiusY": 4, "x": 1, "y": 1}, {"points": [[1, 1], [2, 2]]}]
)
def test_labels_on_another_shape_leave_the_image_unanswered(place):
    rectangle = {"x": 10, "y": 20, "width": 30, "height": 40}
    head = {"from_name": "l", "to_name": "img", "type": "labels"}
    results = [
        {**head, "id": "a", "value": {**rectangle, "labels": ["price"]}},
        {**head, "id": "b", "value": {**place, "labels": ["price"]}},
    ]
    assert read(results[:1], PAIRS).answers["l"].labels == ("price",)
    assert read(results, PAIRS).unanswered == {"l": Unanswered(Gap.OTHER_SHAPE)}


def test_an_answer_about_one_region_is_none_about_the_image():
    about_region = choice("quality", "bad")
    about_region["value"] |= {"x": 10, "y": 20, "width": 30, "height": 40}
    schema = labeling_config.parse(JUDGED.format(""))
    found = read([about_region, box("find", ("van",))], schema)
    assert found.unanswered == {"quality": Unanswered(Gap.OTHER_SHAPE)}
    assert found.answers["find"].labels == ("van",)


def test_rectangles_of_several_tags_are_one_answer():
    found = read([box("tools", ["helmet"], id="1"), box("people", ["worker"], id="1")], GROUPED)
    assert found.answers["tools+people"].labels == ("helmet", "worker")


@pytest.mark.parametrize(
    ("schema", "name", "answer", "kinds"),
    [
        (PATHS, "kind", Choices((Label("animal > cat"), Label("p"))), ["choices"]),
        (
            PAIRS,
            "l",
            Regions((Region(Box(0.1, 0.2, 0.4, 0.6), Label("date"), 0.5),)),
            ["rectangle", "labels"],
        ),
        (
            GROUPED,
            "tools+people",
            Regions(
                (
                    Region(Box(0.1, 0.2, 0.4, 0.6), Label("helmet"), 0.5),
                    Region(Box(0.1, 0.2, 0.4, 0.6), Label("worker"), 0.4),
                )
            ),
            ["rectanglelabels", "rectanglelabels"],
        ),
    ],
)
def test_a_prediction_is_written_as_it_is_read(schema, name, answer, kinds):
    prediction = Prediction(ImageRef(7, "x"), {ControlName(name): answer}, 0.5, "v", (640, 480))
    sent = codec.serialize(prediction, schema)
    assert [one["type"] for one in sent["result"]] == kinds
    assert len({one["id"] for one in sent["result"]}) == 1
    assert codec.fits(sent, schema)
    assert codec.answers(sent["result"], schema)[ControlName(name)].labels == answer.labels


def test_a_prediction_whose_label_left_the_config_fits_no_more():
    prediction = Prediction(ImageRef(7, "x"), {ControlName("bbox"): Regions(())}, 0.5, "v")
    assert codec.fits(codec.serialize(prediction, BOXES), BOXES)
    assert not codec.fits({"result": [box(labels=("Car",))]}, BOXES)
    assert not codec.fits({"result": [box("gone")]}, BOXES)
    assert not codec.fits({"result": [choice("type", "road", "none")]}, NESTED_QUESTIONS)


def test_whoever_was_asked_for_everything_has_looked_for_rectangles():
    judged = labeling_config.parse(JUDGED.format(""))
    found = read([choice("quality", "bad")], judged, looked=True)
    assert found.answers == {"quality": Choices(("bad",)), "find": Regions(())}
    result = [choice("quality", "bad")]
    task = {"id": 7, "data": {"image": "x"}, "annotations": [{"id": 1, "result": result}]}
    (answers,) = codec.audit_labels(task, judged).answers
    assert answers["find"] == Regions(())
