"""Predictions read back for the review page."""

from backend.domain.answers import Choices, HardExample, ImageRef, Prediction, Region, Regions
from backend.domain.geometry import Box
from backend.label_studio import codec, labeling_config
from backend.label_studio.reviewed_predictions import (
    MARKED_WRONG,
    label_confidence,
    marked_wrong,
    prediction_of,
)
from tests.fakes.domain import CHOICES

BOXES = labeling_config.parse(
    '<View><Image name="img" value="$image"/><RectangleLabels name="r" toName="img">'
    '<Label value="a"/><Label value="b"/></RectangleLabels></View>'
)

PETS = labeling_config.parse(CHOICES)


def test_a_prediction_marked_as_wrong_sorts_first_and_is_on_no_wall():
    regions = Regions((Region(Box(0.1, 0.2, 0.3, 0.4), "a", 0.5), Region(Box(0, 0, 1, 1), "b", 1)))
    hard = HardExample(7, 0.8, ())
    one = Prediction(ImageRef(7, "x"), {"r": regions}, 0.5, "al-0001-aaaa", (640, 480), hard)
    first, second = marked_wrong(codec.serialize(one, BOXES))["result"]
    assert [part["id"][:16] for part in (first, second)] == ["1000-0000000000-"] * 2
    assert first["id"] != second["id"]
    assert list(first)[:2] == ["id", "meta"]
    assert first["meta"] == {"text": [MARKED_WRONG]}
    assert "meta" not in second
    assert first["value"]["rectanglelabels"] == ["a"]


def test_a_prediction_is_read_back_with_its_answers_score_and_size():
    regions = Regions((Region(Box(0.1, 0.2, 0.3, 0.4), "a", 0.5),))
    one = Prediction(ImageRef(7, "x"), {"r": regions}, 0.5, "al-0001-aaaa", (640, 480))
    other = {"model_version": "al-0002-bbbb", "score": 0.1, "result": []}
    row = {"id": 7, "data": {"image": "x"}, "predictions": [other, codec.serialize(one, BOXES)]}
    back = prediction_of(row, "al-0001-aaaa", BOXES)
    assert (back.answers["r"].labels, back.score, back.size) == (("a",), 0.5, (640, 480))
    assert back.answers["r"] == regions
    assert prediction_of(row, "al-0002-bbbb", BOXES).answers["r"].regions == ()
    assert prediction_of(row, "al-0003-cccc", BOXES) is None


def test_the_confidence_in_a_label_is_the_mean_over_its_regions():
    boxes = [Box(0, 0, 0.1 * n, 0.1) for n in (1, 2, 3)]
    scored = zip(boxes, ("a", "a", "b"), (0.5, 1.0, 0.25), strict=True)
    regions = Regions(tuple(Region(*given) for given in scored))
    sent = codec.serialize(Prediction(ImageRef(7, "x"), {"r": regions}, 0.5, "v"), BOXES)
    assert label_confidence(sent, {"r": regions}, BOXES) == {"a": 0.75, "b": 0.25}


def test_the_confidence_in_a_label_is_that_of_its_rectangles_where_a_choice_must_show_them():
    schema = labeling_config.parse(
        '<View><Image name="img" value="$image"/>'
        '<Choices name="c" toName="img"><Choice value="cat"/><Choice value="dog"/></Choices>'
        '<Rectangle name="r" toName="img"/>'
        '<Labels name="l" toName="img" visibleWhen="choice-selected" whenTagName="c">'
        '<Label value="ear"/></Labels></View>'
    )
    given = {"c": Choices(("cat",)), "l": Regions((Region(Box(0, 0, 1, 1), "ear", 0.25),))}
    sent = codec.serialize(Prediction(ImageRef(7, "x"), given, 0.5, "v"), schema)
    assert [one["from_name"] for one in sent["result"]] == ["c", "r", "l"]
    answers = codec.answers(sent["result"], schema)
    assert label_confidence(sent, answers, schema) == {"cat": 0.5, "ear": 0.25}


def test_the_confidence_in_a_choice_is_its_own_or_else_that_of_the_whole_answer():
    given = {"c": Choices(("cat",))}
    choice = {"from_name": "c", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}
    assert label_confidence({"score": 0.5, "result": [choice]}, given, PETS) == {"cat": 0.5}
    sure = {"score": 0.5, "result": [{**choice, "score": 0.75}]}
    assert label_confidence(sure, given, PETS) == {"cat": 0.75}
    assert label_confidence({"score": 0.5, "result": []}, {}, PETS) == {}
