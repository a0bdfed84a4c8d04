import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.answers import Region, Regions
from backend.domain.geometry import Box, iou
from backend.domain.ids import Label
from backend.models.detection.average_precision import (
    COCO_LEVELS,
    average_precision,
    box_table,
    mean_average_precision,
    shown_metrics,
)
from backend.models.detection.edits import Edits, edits
from backend.models.detection.overlaps import overlaps

CAT, DOG = Label("cat"), Label("dog")


def region(left, top, right, bottom, label=CAT, score=None):
    return Region(Box(left, top, right, bottom), label, score)


def of(*regions):
    return Regions(tuple(regions))


def slot(number, label=CAT, score=None):
    """Disjoint boxes, so that each can only find the true box of the same number."""
    return region(number / 10, 0.1, number / 10 + 0.08, 0.2, label, score)


corner = st.integers(0, 15)
boxes = st.builds(
    lambda x, y, w, h, label, score: region(
        x / 20, y / 20, min(1, (x + w) / 20), min(1, (y + h) / 20), label, score
    ),
    corner,
    corner,
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from([CAT, DOG]),
    st.floats(0.01, 1),
)
images = st.lists(boxes, max_size=5).map(lambda found: of(*found))


def test_average_precision_of_a_hand_worked_ranking():
    # Ranked right, wrong, right for two true boxes: precision 1 up to recall 1/2 (51 of the 101
    # points), then 2/3 for the other 50.
    truth = of(slot(1), slot(2))
    found = of(slot(1, score=0.9), slot(5, score=0.8), slot(2, score=0.7))

    value = average_precision([found], [truth], CAT, 0.5)

    assert value == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_average_precision_stops_at_the_recall_that_is_reached():
    truth = of(slot(1), slot(2))

    assert average_precision([of(slot(1, score=0.9))], [truth], CAT, 0.5) == pytest.approx(51 / 101)


def test_a_second_box_on_the_same_object_is_wrong():
    # Right at 0.9, the duplicate at 0.8 wrong, then the second object right: as ranking above.
    truth = of(slot(1), slot(2))
    found = of(slot(1, score=0.9), slot(1, score=0.8), slot(2, score=0.7))

    value = average_precision([found], [truth], CAT, 0.5)

    assert value == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_average_precision_ranks_over_all_images_together():
    truths = [of(slot(1)), of()]
    found = [of(slot(1, score=0.5)), of(slot(1, score=0.9))]

    assert average_precision(found, truths, CAT, 0.5) == pytest.approx(0.5)


def test_average_precision_of_an_absent_label_is_not_a_number():
    assert math.isnan(average_precision([of(slot(1))], [of(slot(1))], DOG, 0.5))


def test_average_precision_without_predictions_is_zero():
    assert average_precision([of()], [of(slot(1))], CAT, 0.5) == 0.0


def test_mean_average_precision_is_over_thresholds_and_known_labels():
    # IoU of the one box is 0.8: right at 0.50 to 0.80, seven of the ten thresholds.
    truth = of(region(0, 0, 0.5, 0.5))
    found = of(region(0, 0, 0.4, 0.5, score=0.9))

    assert mean_average_precision([found], [truth], [CAT, DOG]) == 1.0
    every = mean_average_precision([found], [truth], [CAT, DOG], COCO_LEVELS)
    assert every == pytest.approx(0.7)


def test_mean_average_precision_without_a_true_box_is_not_a_number():
    assert math.isnan(mean_average_precision([of(slot(1, score=0.9))], [of()], [CAT, DOG]))


def test_what_is_shown_is_counted_by_precision_recall_and_edits():
    truth = of(slot(1), slot(2))
    metrics = shown_metrics([of(slot(1, score=0.9))], [truth], [CAT])

    assert (metrics["precision"], metrics["recall"]) == (1.0, 0.5)
    assert metrics["edits_per_image"] == 1.0


def test_box_table_has_one_row_a_label():
    truth = of(slot(1), slot(2, DOG))
    found = of(slot(1, score=0.9), slot(5, DOG, score=0.9))

    rows = {row.label: row for row in box_table([found], [truth], [CAT, DOG])}

    assert (rows[CAT].precision, rows[CAT].recall, rows[CAT].ap50) == (1.0, 1.0, 1.0)
    assert (rows[DOG].precision, rows[DOG].recall, rows[DOG].boxes) == (0.0, 0.0, 1)


def test_each_kind_of_edit_is_counted():
    truth = of(slot(1), slot(2), slot(3), region(0.4, 0.4, 0.8, 0.8))
    found = of(slot(1), slot(2, DOG), slot(6), region(0.6, 0.4, 1, 0.8))

    assert edits(found, truth) == Edits(add=1, delete=1, move=1, relabel=1)


@given(images)
def test_a_prediction_equal_to_the_truth_needs_no_edit(truth):
    assert edits(truth, truth).total == 0


@given(images, images)
def test_edits_account_for_every_box(found, truth):
    work = edits(found, truth)

    assert len(found.regions) + work.add - work.delete == len(truth.regions)
    assert min(work.add, work.delete, work.move, work.relabel) >= 0


@given(images, images)
def test_overlaps_agree_with_geometry(ones, others):
    table = overlaps(ones.regions, others.regions)

    theirs = [[iou(one.box, other.box) for other in others.regions] for one in ones.regions]
    assert np.allclose(table, np.array(theirs).reshape(table.shape))


@given(st.lists(st.tuples(images, images), min_size=1, max_size=4))
def test_average_precision_never_rises_with_the_overlap_asked_for(pairs):
    found, truths = zip(*pairs, strict=True)

    values = [average_precision(found, truths, CAT, at) for at in (0.3, 0.5, 0.9)]

    assert math.isnan(values[0]) or all(0 <= value <= 1 for value in values)
    assert math.isnan(values[0]) or values[0] + 1e-9 >= values[2]
