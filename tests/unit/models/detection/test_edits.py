from hypothesis import given

from backend.models.detection.edits import Edits, edits
from tests.fakes.boxes import DOG, answer, answers, region, slot


def test_each_kind_of_edit_is_counted():
    truth = answer(slot(1), slot(2), slot(3), region(0.4, 0.4, 0.8, 0.8))
    found = answer(slot(1), slot(2, DOG), slot(6), region(0.6, 0.4, 1, 0.8))

    assert edits(found, truth) == Edits(add=1, delete=1, move=1, relabel=1)


@given(answers)
def test_a_prediction_equal_to_the_truth_needs_no_edit(truth):
    assert edits(truth, truth).total == 0


@given(answers, answers)
def test_edits_account_for_every_box(found, truth):
    work = edits(found, truth)

    assert len(found.regions) + work.add - work.delete == len(truth.regions)
    assert min(work.add, work.delete, work.move, work.relabel) >= 0
