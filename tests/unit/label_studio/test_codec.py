import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import texts
from backend.domain.answers import (
    Choices,
    Gap,
    HardExample,
    ImageRef,
    Prediction,
    Region,
    Regions,
    Unanswered,
)
from backend.domain.geometry import Box
from backend.domain.items import ItemKind
from backend.label_studio import codec, labeling_config

CHOICES = labeling_config.parse(
    '<View><Image name="img" value="$image"/><Choices name="c" toName="img">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
BOXES = labeling_config.parse(
    '<View><Image name="img" value="$image"/><RectangleLabels name="r" toName="img">'
    '<Label value="a"/><Label value="b"/></RectangleLabels></View>'
)


def task(*annotations: dict) -> dict:
    numbered = [{"id": number, **note} for number, note in enumerate(annotations, start=1)]
    return {"id": 7, "data": {"image": "/data/upload/1/x.jpg"}, "annotations": numbered}


def choice(label: str, **more) -> dict:
    result = {"from_name": "c", "to_name": "img", "type": "choices", "value": {"choices": [label]}}
    return {"result": [result], "updated_at": "2026-01-01", **more}


def rectangle(x, y, width, height, labels=("a",), rotation=0) -> dict:
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}
    value["rectanglelabels"] = list(labels)
    return {"from_name": "r", "original_width": 200, "original_height": 100, "value": value}


def test_the_newest_annotation_counts():
    read = codec.labeled_image(
        task(choice("dog", updated_at="2026-02-01"), choice("cat", updated_at="2026-01-01")),
        CHOICES,
    )
    assert read is not None
    assert read.answers == {"c": Choices(("dog",))}
    assert read.image == ImageRef(7, "/data/upload/1/x.jpg")


@pytest.mark.parametrize(
    ("fields", "by_person"),
    [
        ({"updated_by": None, "lead_time": None, "parent_prediction": 3}, False),
        ({}, False),
        ({"updated_by": 2, "lead_time": None, "parent_prediction": 3}, True),
        ({"updated_by": None, "lead_time": 4.2}, True),
        ({"updated_by": None, "lead_time": 0.0}, True),
    ],
    ids=["accepted", "imported", "changed", "submitted", "submitted at once"],
)
def test_an_annotation_is_a_persons_once_a_person_submitted_or_changed_it(fields, by_person):
    read = codec.labeled_image(task(choice("dog", **fields)), CHOICES)
    assert read is not None
    assert read.by_person is by_person


def test_ground_truth_wins_over_a_newer_annotation():
    old_truth = choice("cat", ground_truth=True, updated_at="2025-01-01")
    read = codec.labeled_image(task(old_truth, choice("dog", updated_at="2026-02-01")), CHOICES)
    assert read is not None
    assert read.answers == {"c": Choices(("cat",))}


def test_a_skipped_task_has_no_answer():
    assert codec.labeled_image(task(choice("cat", was_cancelled=True)), CHOICES) is None
    assert codec.labeled_image(task(), CHOICES) is None


def test_everything_people_did_to_an_audited_task_is_read():
    cat, dog = choice("cat"), choice("dog")
    found = codec.audit_labels(task(cat, dog), CHOICES)
    assert [next(iter(one.values())).labels for one in found.answers] == [("cat",), ("dog",)]
    assert (found.skipped, found.blind, found.opened) == (False, True, True)
    skipped = codec.audit_labels(task(choice("cat", was_cancelled=True)), CHOICES)
    assert (skipped.answers, skipped.skipped, skipped.opened) == ((), True, True)
    assert not codec.audit_labels(task(choice("cat", parent_prediction=7)), CHOICES).blind
    assert not codec.audit_labels(task(), CHOICES).opened


def copied(**more) -> dict:
    """An annotation whose prediction was deleted, so that nothing points to it any more."""
    note = choice("cat", parent_prediction=None)
    return {**note, "result": [{**note["result"][0], **more}]}


@pytest.mark.parametrize(
    ("result", "blind"),
    [
        ({"origin": "prediction"}, False),
        ({"origin": "prediction-changed"}, False),
        ({"id": "0412-0a1b2c3d4e"}, False),
        ({"id": "0412-0a1b2c3d4e-0a1b2c3d4e"}, False),
        ({"origin": "manual", "id": "Xy_12345-6"}, True),
    ],
)
def test_an_annotation_made_from_a_prediction_is_known_once_that_was_deleted(result, blind):
    assert codec.audit_labels(task(copied(**result)), CHOICES).blind is blind
    read = codec.labeled_image(task(copied(**result)), CHOICES)
    assert read is not None
    assert read.blind is blind


def test_the_ids_of_our_predictions_tell_copies_of_their_results():
    prediction = Prediction(ImageRef(7, ""), {"c": Choices(("cat",))}, 0.9, "al-0001-aaaa")
    made = {**codec.serialize(prediction, CHOICES), "parent_prediction": None}
    assert not codec.audit_labels(task(made), CHOICES).blind


def test_a_label_that_left_the_config_is_no_answer():
    read = codec.labeled_image(task(choice("horse")), CHOICES)
    assert read is not None
    assert read.answers == {}
    assert read.unanswered == {"c": Unanswered(Gap.UNKNOWN_LABEL, ("horse",))}


def test_an_image_submitted_without_boxes_says_that_there_is_nothing():
    read = codec.labeled_image(task({"result": []}), BOXES)
    assert read is not None
    assert read.answers == {"r": Regions(())}
    unanswered = codec.labeled_image(task({"result": []}), CHOICES)
    assert unanswered is not None
    assert unanswered.unanswered == {"c": Unanswered(Gap.NOT_ASKED)}


def test_boxes_are_mended_and_what_was_mended_is_counted():
    results = [
        rectangle(10, 10, 20, 20),
        rectangle(10, 10, 20, 20),
        rectangle(90, 90, 20, 20),
        rectangle(50, 50, 0, 10),
        rectangle(50, 50, 10, 10, labels=("b",)),
        rectangle(50, 50, 20, 20, rotation=90),
    ]
    read = codec.labeled_image(task({"result": results}), BOXES)
    assert read is not None
    regions = read.answers["r"].regions
    assert [region.label for region in regions] == ["a", "a", "b", "a"]
    assert regions[1].box == Box(0.9, 0.9, 1, 1)
    assert (regions[3].box.left, regions[3].box.bottom) == pytest.approx((0.4, 0.9))
    mended = {"duplicate": 1, "degenerate": 1, "rotated": 1, "clipped": 1}
    assert read.repairs == mended


def edges(box: Box) -> tuple[float, ...]:
    return box.left, box.top, box.right, box.bottom


def only_region(**changes) -> Region:
    """The region that is read of one rectangle on a wide image."""
    size = {"original_width": 1000, "original_height": 500}
    drawn = {**rectangle(10, 20, 30, 10), **size, **changes}
    read = codec.labeled_image(task({"result": [drawn]}), BOXES)
    assert read is not None
    (region,) = read.answers["r"].regions
    return region


def test_a_rectangle_of_negative_height_lies_above_its_corner():
    region = only_region(value=rectangle(20, 90, 40, -55)["value"])
    assert edges(region.box) == pytest.approx((0.2, 0.35, 0.6, 0.9))


def test_a_rectangle_rotated_on_a_wide_image_becomes_the_upright_one_around_it():
    region = only_region(value=rectangle(10, 20, 30, 10, rotation=90)["value"])
    assert edges(region.box) == pytest.approx((0.05, 0.2, 0.1, 0.8))


def test_the_rotation_of_the_view_does_not_move_a_rectangle():
    assert edges(only_region(image_rotation=90).box) == pytest.approx((0.1, 0.2, 0.4, 0.3))


def test_labels_in_other_scripts_are_read():
    config = (
        '<View><Image name="img" value="$image"/><RectangleLabels name="r" toName="img">'
        '<Label value="阀门"/><Label value="клапан"/></RectangleLabels></View>'
    )
    drawn = rectangle(10, 20, 30, 10, labels=("阀门",))
    read = codec.labeled_image(task({"result": [drawn]}), labeling_config.parse(config))
    assert read is not None
    assert read.answers["r"].labels == ("阀门",)


def test_an_image_of_endless_height_costs_its_rectangle_only():
    endless = {**rectangle(50, 50, 20, 20), "original_height": float("inf")}
    read = codec.labeled_image(task({"result": [endless, rectangle(1, 1, 5, 5)]}), BOXES)
    assert read is not None
    assert len(read.answers["r"].regions) == 1
    assert read.repairs == {"degenerate": 1}


def test_the_rounding_of_percents_is_no_clipping():
    edge = rectangle(66.666667, 33.333334, 33.333334, 66.666667)
    read = codec.labeled_image(task({"result": [edge]}), BOXES)
    assert read is not None
    assert read.answers["r"].regions[0].box.right == 1
    assert read.repairs == {}


def test_several_labels_on_one_rectangle_are_several_regions():
    read = codec.labeled_image(task({"result": [rectangle(1, 1, 5, 5, ("a", "b"))]}), BOXES)
    assert read is not None
    assert read.answers["r"].labels == ("a", "b")


def test_regions_of_one_box_are_one_rectangle_with_all_their_labels():
    box, other = Box(0.1, 0.2, 0.3, 0.4), Box(0.5, 0.5, 0.6, 0.6)
    found = (Region(box, "b", 0.7), Region(other, "b", 0.6), Region(box, "a", 0.5))
    sent = codec.serialize(Prediction(ImageRef(7, "x"), {"r": Regions(found)}, 0.5, "v"), BOXES)
    assert [one["value"]["rectanglelabels"] for one in sent["result"]] == [["b", "a"], ["b"]]
    assert [one["score"] for one in sent["result"]] == [0.5, 0.6]
    back = codec.answers(sent["result"], BOXES)["r"]
    assert sorted(region.label for region in back.regions) == ["a", "b", "b"]


def test_a_hard_example_says_so_on_its_first_region():
    ref = ImageRef(7, "x")
    hard = HardExample(7, 0.812, ((1, "low confidence (0.41)"), (1, "top two labels close")))
    regions = Regions((Region(Box(0.1, 0.2, 0.3, 0.4), "a", 0.5), Region(Box(0, 0, 1, 1), "b", 1)))
    sent = codec.serialize(
        Prediction(ref, {"r": regions}, 0.5, "al-0001-aaaa", (640, 480), hard), BOXES
    )
    assert sent["score"] == 0.5
    assert sent["model_version"] == "al-0001-aaaa"
    first, second = sent["result"]
    assert first["meta"] == {"text": ["hard 0.81: low confidence (0.41); top two labels close"]}
    assert list(first)[:2] == ["id", "meta"], "a narrow column shows the begin"
    assert "meta" not in second
    assert first["value"].pop("rectanglelabels") == ["a"]
    assert first["value"] == pytest.approx(
        {"x": 10, "y": 20, "width": 20, "height": 20, "rotation": 0}
    )
    assert (first["original_width"], first["original_height"]) == (640, 480)
    assert first["id"] != second["id"]


@given(st.tuples(*[st.floats(0, 1) for _ in range(4)]))
def test_a_box_survives_label_studio_and_never_leaves_the_image(corners):
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    if right - left < 1e-6 or bottom - top < 1e-6:
        return
    regions = Regions((Region(Box(left, top, right, bottom), "a", 1.0),))
    sent = codec.serialize(Prediction(ImageRef(7, "x"), {"r": regions}, 1.0, "v", (9, 9)), BOXES)
    value = sent["result"][0]["value"]
    assert value["x"] + value["width"] <= 100
    assert value["y"] + value["height"] <= 100
    back = codec.labeled_image(task({"result": sent["result"]}), BOXES)
    assert back is not None
    box = back.answers["r"].regions[0].box
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((left, top, right, bottom))


def test_ids_sort_by_hardness_then_keep_equal_answers_together():
    def first_id(task: int, label: str, hard: float = 0.0, version: str = "al-0001-aaaa") -> str:
        example = HardExample(task, hard, ()) if hard else None
        given = {"c": Choices((label,))}
        one = Prediction(ImageRef(task, "x"), given, 0.5, version, hard=example)
        return codec.serialize(one, CHOICES)["result"][0]["id"]

    cat, dog = (codec.answer_key("al-0001-aaaa", {"c": Choices((one,))}) for one in ("cat", "dog"))
    assert cat != dog
    assert [first_id(task, "cat")[:16] for task in (1, 2)] == [f"0000-{cat}-"] * 2
    assert first_id(1, "cat") != first_id(2, "cat")
    assert f"-{cat}-" not in first_id(1, "cat", version="al-0002-bbbb")
    assert first_id(3, "dog", 0.81).startswith(f"0810-{dog}-")


def test_the_key_of_an_answer_ignores_the_order_of_labels_and_empty_answers():
    key = codec.answer_key("v", {"c": Choices(("cat", "dog"))})
    assert key == codec.answer_key("v", {"c": Choices(("dog", "cat")), "other": Choices(())})
    assert key != codec.answer_key("v", {"other": Choices(("cat", "dog"))})
    assert key != codec.answer_key("v", {"c": Choices(("cat",)), "d": Choices(("dog",))})


def test_many_predictions_become_what_each_becomes_alone():
    """Equal choices share what is made once, but neither scores nor ids."""
    made = [
        Prediction(ImageRef(task, "x"), {"c": Choices((label,))}, task / 10, "v")
        for task, label in enumerate(("cat", "dog", "cat"))
    ]
    sent = codec.serialized(made, CHOICES)
    assert [one.prediction for one in sent] == made
    assert [one.content for one in sent] == [codec.serialize(one, CHOICES) for one in made]


def test_no_choice_at_all_is_an_empty_result():
    sent = codec.serialize(Prediction(ImageRef(7, "x"), {"c": Choices(())}, 0.9, "v"), CHOICES)
    assert sent["result"] == []


TEXTS = """<View><Text name="t" value="$text"/>
<Choices name="c" toName="t"><Choice value="spam"/><Choice value="ham"/></Choices></View>"""


def test_a_text_of_the_data_needs_no_address():
    schema = labeling_config.parse(TEXTS)
    ref = codec.image_ref({"id": 7, "data": {"text": "http://x.org <b>now</b>"}}, schema)
    assert texts.inline_text(ref.uri) == "http://x.org <b>now</b>"
    assert ref.kind is ItemKind.TEXT
    assert codec.image_ref({"id": 7, "data": {"text": " "}}, schema).uri == ""


def test_hypertext_of_the_data_loses_its_markup():
    schema = labeling_config.parse(TEXTS.replace("<Text", "<HyperText"))
    ref = codec.image_ref({"id": 7, "data": {"text": "<b>Buy</b> now"}}, schema)
    assert texts.inline_text(ref.uri) == "Buy now"


def test_a_text_at_an_address_keeps_it():
    schema = labeling_config.parse(TEXTS.replace("/>", ' valueType="url"/>', 1))
    ref = codec.image_ref({"id": 7, "data": {"text": "https://x.org/1.txt"}}, schema)
    assert (ref.uri, ref.kind) == ("https://x.org/1.txt", ItemKind.TEXT)


ONE = {"from_name": "c", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}
DRAWN = rectangle(90, 50, 20, 20, rotation=45)
DRAWN["value"]["choices"] = ["a"]
ALIKE = [
    ONE,
    {**ONE, "id": "other"},
    {**ONE, "value": {"choices": ["dog"]}},
    {**ONE, "value": {"choices": ["cat", "dog"]}},
    {**ONE, "value": {"choices": ["bird"]}},
    {**ONE, "value": {"choices": [["cat"]]}},
    {**ONE, "value": {"choices": "cat"}},
    {**ONE, "value": {"choices": ["cat"], "x": 1}},
    {**ONE, "value": {"choices": [1]}},
    {**ONE, "value": {"choices": ["1"]}},
    {**ONE, "from_name": "d"},
    {**ONE, "from_name": None},
    {**ONE, "to_name": "another"},
    {**ONE, "type": "rectanglelabels"},
    {**ONE, "item_index": 1},
    {**rectangle(50, 50, 20, 20, rotation=30), "from_name": "r"},
    {**DRAWN, "original_width": 100},
    {**DRAWN, "original_width": 200},
    {"value": {"choices": []}},
]


@pytest.mark.parametrize("schema", [CHOICES, BOXES])
def test_many_tasks_are_read_as_each_one_is(schema):
    """However alike their answers are, which are read once where they are equal."""
    tasks = [
        {"id": number, "data": {"image": f"{number}.jpg"}, "annotations": [{"id": 1, "result": r}]}
        for number, r in enumerate([[], *([one] for one in ALIKE), [ONE, ONE], ALIKE[:3]] * 2)
    ]
    each = [codec.labeled_image(one, schema) for one in tasks]
    assert list(codec.labeled_images(tasks, schema)) == each
    assert list(codec.labeled_images(tasks[::-1], schema)) == each[::-1]
    unread = {"id": 99, "data": {}, "annotations": [{"id": 1, "was_cancelled": True}]}
    assert list(codec.labeled_images([unread, *tasks, {"id": 100}], schema)) == each


def test_equal_choices_are_read_once():
    tasks = [task(choice("cat", id=number)) for number in range(100)]
    read = list(codec.labeled_images(tasks, CHOICES))
    assert len({id(image.answers) for image in read}) == 1
