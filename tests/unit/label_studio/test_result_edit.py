"""The labels in a result change, and all else stays as it is."""

from backend.domain.ids import Label
from backend.domain.label_edits import LabelChange, LabelEdit
from backend.label_studio.result_edit import edited, labels_of, uses

RENAME = LabelEdit(LabelChange.RENAME, (Label("cat"),), Label("Cat"))
MERGE = LabelEdit(LabelChange.MERGE, (Label("cat"), Label("dog")), Label("dog"))
DELETE = LabelEdit(LabelChange.DELETE, (Label("cat"),))


def choices(*labels, **fields):
    part = {"from_name": "kind", "to_name": "image", "type": "choices"}
    return {**part, "value": {"choices": [*labels]}, "id": "c", **fields}


def box(number, *labels):
    value = {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": [*labels]}
    return {"id": number, "from_name": "box", "type": "rectanglelabels", "value": value, "score": 1}


def test_all_kinds_of_labels_are_found():
    polygon = {"type": "polygonlabels", "value": {"points": [], "polygonlabels": ["tail"]}}
    text = {"type": "textarea", "value": {"text": ["cat"]}}
    result = [choices("cat"), box("b", "ear"), polygon, text]
    assert list(labels_of(result)) == ["cat", "ear", "tail"]


def test_garbage_has_no_labels():
    garbage = [None, "cat", {}, {"type": "choices"}, {"type": "choices", "value": {"choices": [1]}}]
    assert list(labels_of(garbage)) == []
    assert list(labels_of({"result": "cat"})) == []
    assert not uses(None, DELETE)


def test_a_label_changes_and_all_other_fields_stay():
    assert edited([choices("dog", "cat", origin="manual")], RENAME) == [
        choices("dog", "Cat", origin="manual")
    ]
    assert edited([box("b", "cat")], RENAME) == [box("b", "Cat")]


def test_labels_that_become_equal_stay_once():
    assert edited([choices("cat", "dog", "bird")], MERGE) == [choices("dog", "bird")]


def test_a_region_without_a_label_left_goes_with_all_that_refers_to_it():
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    note = {"id": "a", "type": "textarea", "value": {"text": ["hm"]}}
    result = [box("a", "cat"), note, box("b", "dog"), relation]
    assert edited(result, DELETE) == [box("b", "dog")]


def test_a_region_with_another_label_stays():
    assert edited([box("a", "cat", "dog")], DELETE) == [box("a", "dog")]


def test_the_rectangle_of_a_deleted_label_stays_where_they_are_separate():
    rectangle = {"id": "r", "type": "rectangle", "value": {"x": 1}}
    label = {"id": "r", "type": "labels", "value": {"x": 1, "labels": ["cat"]}}
    assert edited([rectangle, label], DELETE) == [rectangle]


def test_a_choice_that_is_deleted_leaves_regions_with_the_same_missing_id():
    assert edited([choices("cat", id=None), {"type": "textarea", "value": {}}], DELETE) == [
        {"type": "textarea", "value": {}}
    ]
