"""Several people annotate one task: the majority counts, and nobody is wiped out."""

import pytest

from backend.domain.answers import Choices, Gap, Regions, Unanswered
from backend.label_studio import codec, labeling_config

CHOICES = labeling_config.parse(
    '<View><Image name="img" value="$image"/><Choices name="c" toName="img">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
BOXES = labeling_config.parse(
    '<View><Image name="img" value="$image"/><RectangleLabels name="r" toName="img">'
    '<Label value="a"/><Label value="b"/></RectangleLabels></View>'
)


def chose(label, person, day=1, **more):
    value = {"choices": [label]}
    result = [{"from_name": "c", "to_name": "img", "type": "choices", "value": value}]
    return said(result, person, day, **more)


def drew(label, person, day=1):
    value = {"x": 10, "y": 10, "width": 30, "height": 30, "rectanglelabels": [label]}
    result = [{"from_name": "r", "to_name": "img", "type": "rectanglelabels", "value": value}]
    return said(result, person, day)


def said(result, person, day=1, **more):
    time = f"2026-01-{day:02}"
    return {"completed_by": person, "lead_time": 2.0, "updated_at": time, "result": result, **more}


def read(schema, *annotations):
    numbered = [{"id": number, **one} for number, one in enumerate(annotations, start=1)]
    task = {"id": 7, "data": {"image": "/x.jpg"}, "annotations": numbered}
    found = codec.labeled_image(task, schema)
    assert found is not None
    return found


def test_the_majority_counts_not_the_newest():
    found = read(CHOICES, chose("cat", 1), chose("cat", 2), chose("dog", 3, day=9))
    assert found.answers == {"c": Choices(("cat",))}


def test_a_tie_is_unclear():
    found = read(CHOICES, chose("cat", 1), chose("dog", 2))
    assert found.answers == {}
    assert found.unanswered == {"c": Unanswered(Gap.DISAGREEMENT)}


def test_each_person_has_one_vote_with_the_newest_annotation():
    found = read(CHOICES, chose("cat", 1), chose("cat", 1, day=2), chose("dog", 1, day=3))
    assert found.answers == {"c": Choices(("dog",))}
    of_user = chose("cat", {"id": 2, "email": "a@example.org"}, day=4)
    assert read(CHOICES, of_user, chose("dog", 2, day=5)).answers == {"c": Choices(("dog",))}


@pytest.mark.parametrize("person", [1, 2], ids=["by the same person", "by another"])
def test_an_empty_newest_annotation_wipes_out_nobodys(person):
    found = read(BOXES, drew("a", 1), said([], person, day=9))
    assert found.answers["r"].labels == ("a",)


def test_two_who_saw_nothing_outvote_one():
    assert read(BOXES, drew("a", 1), said([], 2), said([], 3)).answers == {"r": Regions(())}


def test_there_is_not_nothing_where_somebody_drew_what_cannot_be_placed():
    unclear = {"r": Unanswered(Gap.UNKNOWN_LABEL, ("A",))}
    for found in (read(BOXES, drew("A", 1), said([], 2)), read(BOXES, said([], 1), drew("A", 2))):
        assert (found.answers, found.unanswered) == ({}, unclear)
    assert read(BOXES, drew("A", 1), drew("a", 2)).answers["r"].labels == ("a",)


def test_of_those_who_answered_nothing_the_reason_to_mend_is_told():
    found = read(CHOICES, said([], 1), chose("CAT", 2))
    assert found.unanswered == {"c": Unanswered(Gap.UNKNOWN_LABEL, ("CAT",))}


def test_ground_truth_needs_no_majority():
    truth = chose("dog", 3, ground_truth=True)
    assert read(CHOICES, chose("cat", 1), chose("cat", 2), truth).answers == {
        "c": Choices(("dog",))
    }


def test_an_accepted_prediction_has_no_vote_beside_a_person():
    accepted = {**chose("cat", 1, parent_prediction=5), "lead_time": None}
    found = read(CHOICES, accepted, chose("dog", 2))
    assert found.answers == {"c": Choices(("dog",))}
    assert (found.by_person, found.blind) == (True, True)
    alone = read(CHOICES, accepted)
    assert alone.answers == {"c": Choices(("cat",))}
    assert (alone.by_person, alone.blind) == (False, False)


def test_somebody_who_left_a_question_open_does_not_vote_on_it():
    assert read(CHOICES, chose("cat", 1), said([], 2)).answers == {"c": Choices(("cat",))}
    assert read(CHOICES, said([], 1), said([], 2)).unanswered == {"c": Unanswered(Gap.NOT_ASKED)}
